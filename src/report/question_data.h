#pragma once

#include <string>
#include <vector>

#include "report/report_data.h"

namespace litestage {

/// The questions on which the full model and another policy disagree, right against wrong, with all
/// texts, as the JSON that report.js reads:
///
///     {"tasks": ["openbookqa"], "full": ["full"],
///      "questions": [{"task": 0, "id": "...", "text": "...", "options": [["A", "..."]], "gold":
///      "A",
///                     "answers": {"full": ANSWER, "adaskip:k=8": ANSWER}}],
///      "entries": [{"question": 0, "policy": "adaskip:k=8", "kind": "lost" | "gained"}]}
///
/// with ANSWER = {"prediction", "correct", "ms", "stages": [{"name", "option", "text", "tokens",
/// "ms", "stop", "mask"}]}; "full" has the label of each task's full model. It may stand in a
/// script element: there is no "<" in it.
std::string question_data(const std::vector<ReportGroup>& groups);

/// How many entries there are.
std::size_t disagreements(const std::vector<ReportGroup>& groups);

}  // namespace litestage
