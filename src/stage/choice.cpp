#include "stage/choice.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>

#include "base/text_file.h"

namespace litestage {

LetterTokens letter_tokens(const Tokenizer& tokenizer, const Question& question) {
  LetterTokens letters;
  for (std::size_t option = 0; option < question.options.size(); ++option) {
    const std::string& letter = question.options[option].letter;
    for (const std::string& text : {letter, " " + letter}) {
      // A vocabulary may put the space into a token of its own: the letter's is the last one.
      const std::vector<Token> tokens = tokenizer.encode(text, false, false);
      if (tokens.empty()) continue;  // a damaged vocabulary
      if (trimmed(tokenizer.piece(tokens.back())) != letter) continue;
      letters.tokens.push_back(tokens.back());
      letters.options.push_back(option);
    }
  }
  return letters;
}

std::vector<double> option_probabilities(const LetterTokens& letters, std::size_t options,
                                         std::span<const float> logits) {
  assert(options > 0);
  constexpr float NONE = -std::numeric_limits<float>::infinity();
  std::vector<float> best(options, NONE);
  for (std::size_t i = 0; i < letters.tokens.size(); ++i)
    best[letters.options[i]] = std::max(best[letters.options[i]], logits[i]);
  std::vector<double> probabilities(best.size(), 0);
  const float largest = *std::ranges::max_element(best);
  if (largest == NONE) return probabilities;
  double sum = 0;
  for (std::size_t i = 0; i < best.size(); ++i) {
    probabilities[i] = std::exp(static_cast<double>(best[i]) - static_cast<double>(largest));
    sum += probabilities[i];
  }
  for (double& probability : probabilities)
    probability /= sum;
  return probabilities;
}

std::string likeliest_letter(const Question& question, const std::vector<double>& probabilities) {
  assert(!probabilities.empty());
  const auto best = std::ranges::max_element(probabilities);
  if (*best <= 0) return "";
  return question.options[static_cast<std::size_t>(best - probabilities.begin())].letter;
}

double lead(std::vector<double> probabilities) {
  std::ranges::sort(probabilities, std::greater<>());
  if (probabilities.empty()) return 0;
  return probabilities.size() == 1 ? probabilities[0] : probabilities[0] - probabilities[1];
}

}  // namespace litestage
