#pragma once

#include <cstddef>

#include "litestage/program.h"
#include "litestage/question.h"
#include "stage/conversation.h"

namespace litestage {

/// The most tokens that any stage needs room for, its branches and what earlier stages left
/// included, with all texts as long as they may be.
/// @param start the conversation before every question
std::size_t longest_context(const Program& program, const Conversation& start,
                            const Question& question);

}  // namespace litestage
