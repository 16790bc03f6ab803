#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "litestage/question.h"

namespace litestage {

/// A part of a question set that depends on nothing but what is asked: a question has the same
/// share in every set, whatever its place, so that parts which do not overlap never share one.
struct QuestionPart {
  double low = 0;   ///< of the share, included
  double high = 1;  ///< excluded
};

/// Reads "0.2:0.5".
/// @throws UserError unless it is two numbers, 0 <= low < high <= 1
QuestionPart parse_question_part(std::string_view text, const std::string& where);

/// A number in [0, 1) from a question's hash, evenly spread.
double question_share(const Question& question);

/// The questions whose share is in the part, in their order.
std::vector<Question> questions_in(const QuestionPart& part, std::vector<Question> questions);

}  // namespace litestage
