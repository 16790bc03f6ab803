#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "litestage/question.h"
#include "litestage/tokenizer.h"

namespace litestage {

/// What a choice is read from: tokens, each an option's letter.
struct LetterTokens {
  std::vector<Token> tokens;         ///< none where the vocabulary has no token for any letter
  std::vector<std::size_t> options;  ///< of each, its place in the question
};

/// The tokens of the options' letters, with and without a space before them.
LetterTokens letter_tokens(const Tokenizer& tokenizer, const Question& question);

/// How likely each option is next among all of them, by its likeliest token. All 0 where there is
/// no token.
/// @param options how many the question has: at least 1
/// @param logits of the letters' tokens
std::vector<double> option_probabilities(const LetterTokens& letters, std::size_t options,
                                         std::span<const float> logits);

/// The likeliest option's letter; empty where none is.
std::string likeliest_letter(const Question& question, const std::vector<double>& probabilities);

/// How much likelier the likeliest option is than the next.
double lead(std::vector<double> probabilities);

}  // namespace litestage
