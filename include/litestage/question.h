#pragma once

#include <string>
#include <vector>

namespace litestage {

struct Option {
  std::string letter;  ///< "A", "B", ...
  std::string text;
};

/// A question as it goes through the stages; options may be absent (numbers, free text).
struct Question {
  std::string id;
  std::string text;
  std::vector<Option> options;
  std::string gold;     ///< the right letter, number or text; empty when unknown
  std::string program;  ///< the program its set asks for; empty when any will do
};

/// Whether two options may have the same text: published question sets have such questions, and
/// leaving them out would change what an accuracy means.
enum class DoubledOptions { refuse, allow };

/// Letters and texts for options given as texts alone: A, B, C, ...
std::vector<Option> letter_options(const std::vector<std::string>& texts);

/// Takes the options out of a question that carries them as "(A) ... (B) ...", from A on without a
/// gap.
Question split_question(const std::string& text);

/// @throws UserError when a question cannot be asked: empty, invalid UTF-8, a single option, more
/// than 26 options, options not lettered A, B, C, ..., an empty or a doubled option
void check_question(const Question& question, const std::string& where,
                    DoubledOptions doubled = DoubledOptions::refuse);

/// Tells a question from others by what is asked, not by its id: 16 hexadecimal digits of a sha256
/// over text and options.
std::string question_hash(const Question& question);

/// Whether an answer is the right one: letters without regard to case, numbers by value.
bool is_correct(const Question& question, const std::string& answer);

}  // namespace litestage
