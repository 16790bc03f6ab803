#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "litestage/question.h"
#include "litestage/sampler.h"
#include "litestage/tokenizer.h"

namespace litestage::serve {

// What the bodies of requests say, with types and ranges checked. Keys that are not known are
// passed over, as other servers do; those that would change the answer and are not supported are
// refused. All readers throw UserError with the field at fault.

/// How much a request may ask for.
struct RequestLimits {
  int max_tokens = 4096;       ///< of one answer
  std::size_t prompts = 128;   ///< of one completion request
  std::size_t messages = 256;  ///< of one chat
  std::size_t prompt_tokens = 1 << 17;
};

/// How text is to be written by the bare model.
struct WritingFields {
  SamplerOptions sampler;
  std::optional<int> max_tokens;
  std::vector<std::string> stop;
};

struct StreamFields {
  bool stream = false;
  bool include_usage = false;  ///< a last chunk with the count of tokens
};

struct ChatRequest {
  std::string model;  ///< empty: the bare one
  std::vector<ChatMessage> messages;
  WritingFields writing;
  StreamFields streaming;
  std::optional<int> top_logprobs;  ///< set: logprobs of every token, with so many others
};

using Prompt = std::variant<std::string, std::vector<Token>>;

struct CompletionRequest {
  std::string model;
  std::vector<Prompt> prompts;
  WritingFields writing;
  StreamFields streaming;
  bool echo = false;
  std::optional<int> logprobs;
};

/// Which ways to answer: with the full model, by a plan, or both, one after the other.
enum class StagesMode : std::uint8_t { full, plan, both };

struct StagesRequest {
  Question question;
  std::string program;
  std::string plan;  ///< empty: the program's first one
  StagesMode mode = StagesMode::full;
  bool exit_rules = true;
  bool stream = false;
  bool confidence = false;  ///< an event for each token's, in a stream
};

struct TokenizeRequest {
  std::string content;
  bool add_special = false;
  bool parse_special = true;
  bool with_pieces = false;
};

struct DetokenizeRequest {
  std::vector<Token> tokens;
};

ChatRequest read_chat_request(std::string_view body, const RequestLimits& limits);
CompletionRequest read_completion_request(std::string_view body, const RequestLimits& limits);
StagesRequest read_stages_request(std::string_view body);
TokenizeRequest read_tokenize_request(std::string_view body, const RequestLimits& limits);
DetokenizeRequest read_detokenize_request(std::string_view body, const RequestLimits& limits);

}  // namespace litestage::serve
