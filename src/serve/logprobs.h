#pragma once

#include <span>

#include "serve/text_request.h"

namespace litestage::serve {

/// A token's logprob, and those of the likeliest tokens in its place.
/// @param logits one value for each token of the vocabulary
/// @param top how many of the likeliest
TokenLogprob logprob_of(std::span<const float> logits, Token token, int top);

}  // namespace litestage::serve
