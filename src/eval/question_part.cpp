#include "eval/question_part.h"

#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "base/plain_number.h"
#include "litestage/error.h"

namespace litestage {
QuestionPart parse_question_part(std::string_view text, const std::string& where) {
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const auto low = decimal_number(text.substr(0, colon));
    const auto high = decimal_number(text.substr(colon + 1));
    if (low && high && *low < *high && *high <= 1) return {*low, *high};
  }
  throw UserError(where, fmt::format("\"{}\" is no part", text),
                  "give two numbers from 0 to 1, as 0.2:0.5");
}

double question_share(const Question& question) {
  constexpr int HEXADECIMAL = 16;
  constexpr std::size_t DIGITS = 13;  // 52 bits: a double holds them all
  const std::string hash = question_hash(question).substr(0, DIGITS);
  const std::uint64_t bits = std::stoull(hash, nullptr, HEXADECIMAL);
  return std::ldexp(static_cast<double>(bits), -4 * static_cast<int>(DIGITS));
}

std::vector<Question> questions_in(const QuestionPart& part, std::vector<Question> questions) {
  std::erase_if(questions, [&part](const Question& question) {
    const double share = question_share(question);
    return share < part.low || share >= part.high;
  });
  return questions;
}

}  // namespace litestage
