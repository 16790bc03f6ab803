#pragma once

#include <cstddef>

#include "litestage/program.h"
#include "litestage/question.h"
#include "litestage/tokenizer.h"
#include "stage/conversation.h"

namespace litestage {

/// The most tokens that any stage's context can get, with all texts as long as they may be.
/// @param start the conversation before every question
std::size_t longest_context(const Program& program, const Conversation& start,
                            const Tokenizer& tokenizer, const Question& question);

}  // namespace litestage
