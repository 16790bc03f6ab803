#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/question.h"

namespace litestage {

/// How a question set is written.
enum class DatasetFormat {
  automatic,  ///< told from the first question
  litestage,  ///< ours, docs/questions.md
  choices,  ///< OpenBookQA's and CommonsenseQA's: `question.stem`, `question.choices`, `answerKey`
  strategyqa,  ///< yes-or-no questions, which get the options yes (A) and no (B)
  gsm8k,       ///< the number after `####` in `answer` is the right one
};

struct DatasetOptions {
  DatasetFormat format = DatasetFormat::automatic;
  std::size_t offset = 0;                                       ///< questions left out at the start
  std::size_t limit = std::numeric_limits<std::size_t>::max();  ///< questions read after them
};

/// Reads a question set, one JSON object a line or one JSON list, from a file or, for "-", from the
/// standard input. All questions are checked; those of published sets may have doubled options.
/// What comes after the limit is not looked at.
/// @throws UserError with file and line when a question is not as its format or check_question
/// wants it, two have the same id, or none is left
std::vector<Question> load_questions(const std::string& path, const DatasetOptions& options = {});

/// The same from text; `where` names it in errors, and gives ids to questions that have none.
std::vector<Question> parse_questions(std::string_view text, const std::string& where,
                                      const DatasetOptions& options = {});

}  // namespace litestage
