#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "litestage/pipeline.h"
#include "litestage/sampler.h"
#include "litestage/tokenizer.h"

namespace litestage::serve {

/// What the bare model is to write.
struct TextRequest {
  std::vector<Token> prompt;  ///< at least one token
  int max_tokens = 0;         ///< 0: write nothing
  SamplerOptions sampler;
  std::vector<std::string> stop;
  std::optional<int> logprobs;  ///< of every token, and of so many likeliest ones in its place
  bool score_prompt = false;    ///< logprobs of the prompt's tokens as well
};

/// A token's natural logarithm of probability, under the model alone (temperature 1).
struct TokenLogprob {
  Token token = 0;
  std::optional<double> logprob;              ///< none for a prompt's first token
  std::vector<std::pair<Token, double>> top;  ///< likeliest first
};

struct TextResult {
  std::string text;  ///< without the prompt
  StopReason stop_reason = StopReason::end_of_text;
  int prompt_tokens = 0;
  int reused_tokens = 0;  ///< of these, found in the KV cache
  int tokens = 0;         ///< written
  double prefill_ms = 0;
  double decode_ms = 0;
  std::vector<TokenLogprob> prompt_logprobs;  ///< one a prompt token, when it was scored
  std::vector<TokenLogprob> text_logprobs;    ///< one a token written, the end of text included
};

}  // namespace litestage::serve
