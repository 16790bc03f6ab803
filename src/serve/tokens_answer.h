#pragma once

#include "serve/service.h"

namespace litestage::serve {

/// POST /tokenize: the tokens of a text.
Reply tokens_reply(const Model& model, const TokenizeRequest& request);

/// POST /detokenize: the text of tokens, under the names that llama.cpp and vLLM give it.
/// @throws ApiError for tokens that the vocabulary lacks
Reply text_reply(const Model& model, const DetokenizeRequest& request);

/// GET /tokenizer_info: markup that clients put around texts by themselves, as vLLM tells it.
Reply tokenizer_reply(const Model& model);

}  // namespace litestage::serve
