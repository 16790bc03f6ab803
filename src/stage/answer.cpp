#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/text_file.h"
#include "litestage/program.h"
#include "stage/numbers.h"
#include "stage/pattern.h"

namespace litestage {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

/// Moves behind blanks and the marks people put around a letter: "**(B)**".
std::size_t skip_decoration(std::string_view text, std::size_t at) {
  const std::size_t next = text.find_first_not_of(" \t\r\n*_`\"'([:{", at);
  return next == std::string_view::npos ? text.size() : next;
}

/// Finds a question's option letters in what a model wrote.
class LetterReader {
 public:
  LetterReader(const std::vector<Option>& options, std::string_view text)
      : options_(options), text_(text), lower_(lower(text)) {}

  /// The surest sign that is there: what follows the last "answer is", the letter the text begins
  /// with, a text that is one option's own words, what follows the last "option" or "choice", the
  /// last letter in brackets.
  std::string read() const {
    std::string letter = after_last("answer", false);
    if (letter.empty()) letter = letter_at(skip_decoration(text_, 0), text_.starts_with('('));
    if (letter.empty()) letter = whole_option();
    if (letter.empty()) letter = after_last("option", true);
    if (letter.empty()) letter = after_last("choice", true);
    if (letter.empty()) letter = last_bracketed();
    return letter;
  }

 private:
  /// The option whose letter stands alone at `at`. A small letter, or an "A" or "I" that goes on as
  /// a sentence does, only counts when it is marked as a letter: "the answer is a lake".
  std::string letter_at(std::size_t at, bool marked) const {
    if (at >= text_.size() || (at + 1 < text_.size() && is_word(text_[at + 1]))) return {};
    if (at > 0 && is_word(text_[at - 1])) return {};
    const bool capital = std::isupper(static_cast<unsigned char>(text_[at])) != 0;
    if (!capital && !marked) return {};
    const bool is_a_word = text_[at] == 'A' || text_[at] == 'I';
    if (!marked && is_a_word && at + 2 < text_.size() && text_[at + 1] == ' ' &&
        std::islower(static_cast<unsigned char>(text_[at + 2])) != 0) {
      return {};
    }
    const char letter = static_cast<char>(std::toupper(static_cast<unsigned char>(text_[at])));
    for (const Option& option : options_) {
      if (option.letter.size() == 1 && option.letter.front() == letter) return option.letter;
    }
    return {};
  }

  /// The longest option whose own words stand at `at`.
  std::string option_at(std::size_t at) const {
    const Option* best = nullptr;
    for (const Option& option : options_) {
      const std::string words = lower(trimmed(option.text));
      const std::size_t end = at + words.size();
      const bool there = lower_.compare(at, words.size(), words) == 0 &&
                         (end >= lower_.size() || !is_word(lower_[end]));
      if (there && (best == nullptr || option.text.size() > best->text.size())) best = &option;
    }
    return best == nullptr ? std::string() : best->letter;
  }

  /// Moves behind "option", "choice", "is" and the like that stand at `at`; tells whether the
  /// letter behind them is named as one.
  std::size_t skip_lead(std::size_t at, bool& marked) const {
    for (bool moved = true; moved;) {
      moved = false;
      at = skip_decoration(text_, at);
      for (const std::string_view word :
           {"is", "would be", "must be", "option", "choice", "letter"}) {
        const std::size_t end = at + word.size();
        if (lower_.compare(at, word.size(), word) != 0) continue;
        if (end < lower_.size() && is_word(lower_[end])) continue;
        marked = marked || word == "option" || word == "choice" || word == "letter";
        at = end;
        moved = true;
        break;
      }
    }
    marked = marked || (at > 0 && at < text_.size() && text_[at - 1] == '(');
    return at;
  }

  std::string after_last(std::string_view word, bool names_a_letter) const {
    for (std::size_t at = lower_.rfind(word); at != std::string::npos;
         at = at == 0 ? std::string::npos : lower_.rfind(word, at - 1)) {
      bool marked = names_a_letter;
      const std::size_t value = skip_lead(at + word.size(), marked);
      std::string letter = letter_at(value, marked);
      if (letter.empty() && value < text_.size()) letter = option_at(value);
      if (!letter.empty()) return letter;
    }
    return {};
  }

  std::string whole_option() const {
    const std::size_t begin = skip_decoration(text_, 0);
    std::string letter = begin < text_.size() ? option_at(begin) : std::string();
    for (const Option& option : options_) {
      if (option.letter != letter) continue;
      const std::size_t end = begin + trimmed(option.text).size();
      if (text_.find_first_not_of(" \t\r\n*_`\"')].!", end) == std::string_view::npos)
        return letter;
    }
    return {};
  }

  /// The last "(B)".
  std::string last_bracketed() const {
    for (std::size_t at = text_.size(); at-- > 1;) {
      const bool bracketed = text_[at - 1] == '(' && at + 1 < text_.size() && text_[at + 1] == ')';
      if (!bracketed) continue;
      if (std::string letter = letter_at(at, true); !letter.empty()) return letter;
    }
    return {};
  }

  const std::vector<Option>& options_;
  std::string_view text_;
  std::string lower_;
};

}  // namespace

std::string read_value(const Stage& stage, const Question& question, std::string_view text) {
  switch (stage.output) {
    case OutputKind::choice:
      return LetterReader(question.options, trimmed(text)).read();
    case OutputKind::number:
      return last_number(text);
    case OutputKind::pattern:
      return std::string(Pattern(stage.pattern).first_match(text));
    case OutputKind::text:
      break;
  }
  return std::string(trimmed(text));
}

}  // namespace litestage
