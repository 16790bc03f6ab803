#include "serve/request_fields.h"

#include <limits>
#include <random>
#include <utility>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_field.h"
#include "base/json_read.h"
#include "base/text_file.h"
#include "litestage/error.h"
#include "serve/api_error.h"

namespace litestage::serve {
namespace {

using Json = nlohmann::json;

/// A request's body, kept alive for the fields that look at it.
class Body {
 public:
  explicit Body(std::string_view text) : json_(parse(text)), fields_(json_, REQUEST_BODY) {
    if (!fields_.is_object()) throw bad_request("invalid_json", "the body must be a JSON object");
  }
  const JsonField& fields() const { return fields_; }

 private:
  static Json parse(std::string_view text) {
    try {
      return parse_json_strictly(text, REQUEST_BODY);
    } catch (const UserError& error) {
      throw bad_request("invalid_json", error.what());
    }
  }

  Json json_;
  JsonField fields_;
};

bool flag_or(const JsonField& fields, std::string_view key, bool otherwise) {
  const auto field = fields.optional_member(key);
  return field ? field->flag() : otherwise;
}

std::string text_or(const JsonField& fields, std::string_view key, std::string otherwise) {
  const auto field = fields.optional_member(key);
  return field ? field->raw_text() : std::move(otherwise);
}

float number_or(const JsonField& fields, std::string_view key, double low, double high,
                float otherwise) {
  const auto field = fields.optional_member(key);
  return field ? static_cast<float>(field->number(low, high)) : otherwise;
}

[[noreturn]] void fail_unsupported(const JsonField& field) {
  const std::string param = field.where().substr(std::string(REQUEST_BODY).size() + 2);
  throw bad_request("unsupported_parameter", fmt::format("{} is not supported here", param), param);
}

/// Fields that may be sent as long as they ask for nothing.
void refuse_unsupported(const JsonField& fields) {
  for (const char* key : {"n", "best_of"}) {
    if (const auto field = fields.optional_member(key);
        field && field->integer(0, std::numeric_limits<int>::max()) != 1)
      fail_unsupported(*field);
  }
  for (const char* key : {"frequency_penalty", "presence_penalty"}) {
    const auto field = fields.optional_member(key);
    if (field && field->number(-1e9, 1e9) != 0.0) fail_unsupported(*field);
  }
  for (const char* key : {"logit_bias", "tools", "functions", "audio", "suffix", "grammar"}) {
    const auto field = fields.optional_member(key);
    if (!field) continue;
    const bool empty = field->is_list()     ? field->size() == 0
                       : field->is_object() ? field->members().empty()
                                            : field->is_text() && field->raw_text().empty();
    if (!empty) fail_unsupported(*field);
  }
  const auto format = fields.optional_member("response_format");
  if (format && format->member("type").raw_text() != "text") fail_unsupported(*format);
}

std::vector<std::string> read_stop(const JsonField& fields) {
  constexpr std::size_t MOST = 16;
  constexpr std::size_t LONGEST = 1024;
  const auto field = fields.optional_member("stop");
  if (!field) return {};
  std::vector<std::string> stop;
  if (field->is_text()) {
    stop.push_back(field->raw_text());
  } else {
    if (field->size() > MOST) field->fail(fmt::format("has more than {} texts", MOST));
    for (const JsonField& text : field->elements())
      stop.push_back(text.raw_text());
  }
  for (const std::string& text : stop) {
    if (text.empty() || text.size() > LONGEST)
      field->fail(fmt::format("texts must have 1 to {} bytes", LONGEST));
  }
  return stop;
}

/// The names of llama.cpp beside OpenAI's; its defaults too, which suit small models.
SamplerOptions read_sampler(const JsonField& fields) {
  constexpr double HOTTEST = 2;
  constexpr int MANY = 1 << 24;
  SamplerOptions sampler;
  sampler.temperature = number_or(fields, "temperature", 0, HOTTEST, 0.8F);
  sampler.top_p = number_or(fields, "top_p", 0, 1, 0.95F);
  sampler.min_p = number_or(fields, "min_p", 0, 1, 0.05F);
  sampler.repeat_penalty = number_or(fields, "repeat_penalty", 0.1, 10, 1.0F);
  if (const auto top_k = fields.optional_member("top_k"))
    sampler.top_k = static_cast<int>(top_k->integer(0, MANY));
  const auto seed = fields.optional_member("seed");
  // Seeds of any size are welcome; a negative one asks for chance, as in llama.cpp.
  const std::int64_t given = seed ? seed->integer(std::numeric_limits<std::int64_t>::min(),
                                                  std::numeric_limits<std::int64_t>::max())
                                  : -1;
  sampler.seed = given < 0 ? std::random_device()() : static_cast<std::uint32_t>(given);
  return sampler;
}

WritingFields read_writing(const JsonField& fields, const RequestLimits& limits, int least_tokens) {
  WritingFields writing;
  writing.sampler = read_sampler(fields);
  for (const char* key : {"max_tokens", "max_completion_tokens"}) {
    if (const auto field = fields.optional_member(key))
      writing.max_tokens = static_cast<int>(field->integer(least_tokens, limits.max_tokens));
  }
  writing.stop = read_stop(fields);
  return writing;
}

StreamFields read_streaming(const JsonField& fields) {
  StreamFields streaming;
  streaming.stream = flag_or(fields, "stream", false);
  if (const auto options = fields.optional_member("stream_options"))
    streaming.include_usage = flag_or(*options, "include_usage", false);
  return streaming;
}

/// A message's text: one, or a list of parts that are all text.
std::string read_content(const JsonField& content) {
  if (!content.is_list()) return content.raw_text();
  std::string text;
  for (const JsonField& part : content.elements()) {
    if (part.member("type").raw_text() != "text") part.fail("only parts of type text are read");
    text += part.member("text").raw_text();
  }
  return text;
}

std::vector<ChatMessage> read_messages(const JsonField& field, const RequestLimits& limits) {
  if (field.size() == 0) field.fail("is empty", "give at least one message");
  if (field.size() > limits.messages)
    field.fail(fmt::format("has more than {} messages", limits.messages));
  std::vector<ChatMessage> messages;
  for (const JsonField& message : field.elements()) {
    std::string role = message.member("role").raw_text();
    if (role == "developer") role = "system";  // the newer name
    if (role != "system" && role != "user" && role != "assistant")
      message.member("role").fail("must be system, user or assistant");
    messages.push_back({std::move(role), read_content(message.member("content"))});
  }
  return messages;
}

std::vector<Token> read_tokens(const JsonField& field, const RequestLimits& limits) {
  if (field.size() > limits.prompt_tokens)
    field.fail(fmt::format("has more than {} tokens", limits.prompt_tokens));
  std::vector<Token> tokens;
  for (const JsonField& token : field.elements())
    tokens.push_back(static_cast<Token>(token.integer(0, std::numeric_limits<Token>::max())));
  return tokens;
}

/// A text, a list of texts, a list of tokens, or a list of such lists.
std::vector<Prompt> read_prompts(const JsonField& field, const RequestLimits& limits) {
  if (field.is_text()) return {field.raw_text()};
  if (field.size() == 0) field.fail("is empty", "give a text or tokens");
  if (field.size() > limits.prompt_tokens)
    field.fail(fmt::format("has more than {} elements", limits.prompt_tokens));
  const std::vector<JsonField> elements = field.elements();
  if (elements.front().is_number()) return {read_tokens(field, limits)};
  if (elements.size() > limits.prompts)
    field.fail(fmt::format("has more than {} prompts", limits.prompts));
  std::vector<Prompt> prompts;
  for (const JsonField& element : elements) {
    if (element.is_text()) {
      prompts.emplace_back(element.raw_text());
    } else {
      prompts.emplace_back(read_tokens(element, limits));
    }
  }
  return prompts;
}

void refuse_streamed_logprobs(bool logprobs, const StreamFields& streaming) {
  if (logprobs && streaming.stream)
    throw bad_request("unsupported_parameter", "logprobs are not supported in a stream",
                      "logprobs");
}

}  // namespace

ChatRequest read_chat_request(std::string_view body, const RequestLimits& limits) {
  constexpr int MOST_TOP = 20;
  const Body parsed(body);
  const JsonField& fields = parsed.fields();
  refuse_unsupported(fields);
  ChatRequest request;
  request.model = text_or(fields, "model", "");
  request.messages = read_messages(fields.member("messages"), limits);
  request.writing = read_writing(fields, limits, 1);
  request.streaming = read_streaming(fields);
  if (flag_or(fields, "logprobs", false)) {
    const auto top = fields.optional_member("top_logprobs");
    request.top_logprobs = top ? static_cast<int>(top->integer(0, MOST_TOP)) : 0;
  }
  refuse_streamed_logprobs(request.top_logprobs.has_value(), request.streaming);
  return request;
}

CompletionRequest read_completion_request(std::string_view body, const RequestLimits& limits) {
  constexpr int MOST_TOP = 20;
  const Body parsed(body);
  const JsonField& fields = parsed.fields();
  refuse_unsupported(fields);
  CompletionRequest request;
  request.model = text_or(fields, "model", "");
  request.prompts = read_prompts(fields.member("prompt"), limits);
  request.writing = read_writing(fields, limits, 0);
  request.streaming = read_streaming(fields);
  request.echo = flag_or(fields, "echo", false);
  if (const auto top = fields.optional_member("logprobs"))
    request.logprobs = static_cast<int>(top->integer(0, MOST_TOP));
  refuse_streamed_logprobs(request.logprobs.has_value(), request.streaming);
  return request;
}

StagesRequest read_stages_request(std::string_view body) {
  const Body parsed(body);
  const JsonField& fields = parsed.fields();
  StagesRequest request;
  request.question = split_question(std::string(trimmed(fields.member("question").raw_text())));
  if (const auto options = fields.optional_member("options")) {
    constexpr std::size_t MOST = 26;  // letters
    if (options->size() > MOST) options->fail(fmt::format("has more than {} options", MOST));
    std::vector<std::string> texts;
    for (const JsonField& option : options->elements())
      texts.push_back(option.raw_text());
    request.question.text = trimmed(fields.member("question").raw_text());
    request.question.options = letter_options(texts);
  }
  check_question(request.question, std::string(REQUEST_BODY) + ": question");
  request.program = text_or(fields, "program", "");
  request.plan = text_or(fields, "plan", "");
  request.exit_rules = flag_or(fields, "exit_rules", true);
  request.stream = flag_or(fields, "stream", false);
  request.confidence = flag_or(fields, "confidence", false);
  if (const auto mode = fields.optional_member("mode")) {
    const std::string word = mode->raw_text();
    if (word != "full" && word != "plan" && word != "both")
      mode->fail("must be full, plan or both");
    request.mode = word == "full"   ? StagesMode::full
                   : word == "plan" ? StagesMode::plan
                                    : StagesMode::both;
  } else if (!request.plan.empty()) {
    request.mode = StagesMode::plan;
  }
  return request;
}

TokenizeRequest read_tokenize_request(std::string_view body, const RequestLimits& limits) {
  const Body parsed(body);
  const JsonField& fields = parsed.fields();
  TokenizeRequest request;
  // llama.cpp's names or vLLM's, whose clients count on special tokens unless they say otherwise.
  const bool vllm = fields.optional_member("prompt").has_value();
  const JsonField content = fields.member(vllm ? "prompt" : "content");
  request.content = content.raw_text();
  if (request.content.size() > limits.prompt_tokens)  // no token is shorter than a byte
    content.fail(fmt::format("has more than {} bytes", limits.prompt_tokens));
  request.add_special =
      vllm ? flag_or(fields, "add_special_tokens", true) : flag_or(fields, "add_special", false);
  request.parse_special = flag_or(fields, "parse_special", true);
  request.with_pieces = flag_or(fields, "with_pieces", false);
  return request;
}

DetokenizeRequest read_detokenize_request(std::string_view body, const RequestLimits& limits) {
  const Body parsed(body);
  const JsonField tokens = parsed.fields().member("tokens");
  if (tokens.size() > limits.prompt_tokens)
    tokens.fail(fmt::format("has more than {} tokens", limits.prompt_tokens));
  return {read_tokens(tokens, limits)};
}

}  // namespace litestage::serve
