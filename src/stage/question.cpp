#include "litestage/question.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "base/sha256.h"
#include "base/text_file.h"
#include "base/utf8.h"
#include "litestage/error.h"
#include "stage/numbers.h"

namespace litestage {
namespace {

constexpr std::size_t MOST_OPTIONS = 26;  // as many as there are letters

std::string letter_of(std::size_t index) {
  return {static_cast<char>('A' + index)};
}

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

void check_text(const std::string& text, const std::string& what, const std::string& where) {
  if (trimmed(text).empty()) throw UserError(where, what + " is empty", "write some text there");
  if (const auto offset = invalid_utf8_at(text)) {
    throw UserError(where, what + " has invalid UTF-8 at byte " + std::to_string(*offset + 1),
                    "give the text as UTF-8");
  }
}

void check_options(const Question& question, const std::string& where, DoubledOptions doubled) {
  const std::size_t count = question.options.size();
  if (count == 1) {
    throw UserError(where, "the question has a single option", "give at least two, or none at all");
  }
  if (count > MOST_OPTIONS) {
    throw UserError(where, "the question has " + std::to_string(count) + " options",
                    "give at most 26, one a letter");
  }
  std::set<std::string_view> texts;
  for (std::size_t i = 0; i < count; ++i) {
    const Option& option = question.options[i];
    if (option.letter != letter_of(i)) {
      throw UserError(where,
                      "option " + std::to_string(i + 1) + " has the letter '" + option.letter + "'",
                      "letter the options A, B, C, ... in order");
    }
    check_text(option.text, "option " + option.letter, where);
    if (!texts.insert(trimmed(option.text)).second && doubled == DoubledOptions::refuse) {
      throw UserError(where, "option " + option.letter + " '" + option.text + "' is there twice",
                      "make the options differ");
    }
  }
}

}  // namespace

std::vector<Option> letter_options(const std::vector<std::string>& texts) {
  std::vector<Option> options;
  options.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    options.push_back({i < MOST_OPTIONS ? letter_of(i) : std::to_string(i + 1), texts[i]});
  }
  return options;
}

Question split_question(const std::string& text) {
  Question question;
  const std::size_t first = text.find("(A)");
  if (first == std::string::npos || text.find("(B)", first) == std::string::npos) {
    question.text = text;
    return question;
  }
  question.text = trimmed(std::string_view(text).substr(0, first));
  std::size_t start = first;
  for (char letter = 'A'; letter <= 'Z' && start != std::string::npos; ++letter) {
    const std::size_t next = text.find(fmt::format("({})", static_cast<char>(letter + 1)), start);
    constexpr std::size_t MARK = 3;
    const std::size_t end = next == std::string::npos ? text.size() : next;
    question.options.push_back(
        {std::string(1, letter),
         std::string(trimmed(std::string_view(text).substr(start + MARK, end - start - MARK)))});
    start = next;
  }
  return question;
}

void check_question(const Question& question, const std::string& where, DoubledOptions doubled) {
  check_text(question.text, "the question", where);
  check_options(question, where, doubled);
}

bool is_correct(const Question& question, const std::string& answer) {
  const std::string_view given = trimmed(answer);
  const std::string_view gold = trimmed(question.gold);
  if (given.empty() || gold.empty()) return false;
  if (equal_without_case(given, gold)) return true;
  if (!question.options.empty()) return false;
  const std::optional<double> given_value = number_value(given);
  const std::optional<double> gold_value = number_value(gold);
  // Both went through decimal text, so only the last bits may differ.
  return given_value && gold_value &&
         std::abs(*given_value - *gold_value) <= 1e-9 * std::max(1.0, std::abs(*gold_value));
}

std::string question_hash(const Question& question) {
  std::string bytes = fmt::format("{}:{}", question.text.size(), question.text);
  for (const Option& option : question.options)
    bytes += fmt::format("{}:{}", option.text.size(), option.text);
  constexpr std::size_t DIGITS = 16;
  return sha256_hex(bytes).substr(0, DIGITS);
}

}  // namespace litestage
