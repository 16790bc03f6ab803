#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "litestage/tokenizer.h"
#include "serve/text_request.h"

namespace litestage::serve {

/// As chats have them: a list `content` of tokens with logprob, bytes and the likeliest ones.
nlohmann::ordered_json chat_logprobs(const Tokenizer& tokenizer,
                                     const std::vector<TokenLogprob>& tokens);

/// As completions have them: `tokens`, `token_logprobs`, `top_logprobs` and `text_offset`
/// (characters), one entry a token.
nlohmann::ordered_json completion_logprobs(const Tokenizer& tokenizer,
                                           const std::vector<TokenLogprob>& tokens);

}  // namespace litestage::serve
