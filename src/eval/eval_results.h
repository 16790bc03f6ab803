#pragma once

#include <string>
#include <vector>

#include "eval/eval_statistics.h"

namespace litestage {

/// The figures of an evaluation as JSON, in the shape people know from lm-evaluation-harness: for
/// each policy `results`, with `acc,none` and `acc_stderr,none` for each task, and beside it
/// `n-samples`, `latency` and `against_full`. docs/evaluation.md has the fields.
std::string results_json(const EvalHeader& header, const std::vector<ArmSummary>& summaries);

}  // namespace litestage
