#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "app/progress.h"
#include "app/terminal.h"
#include "eval/eval_statistics.h"
#include "eval/evaluate.h"

namespace litestage::app {

/// The evaluation as one line on a terminal: each policy's accuracy so far and the time left.
class EvalView {
 public:
  void show(const EvalProgress& progress);

 private:
  ProgressBar bar_;
};

/// Accuracies so far of the policies on the task of the last answer, with their standard errors:
/// "gsm8k: full 52 +- 7, direct 8 +- 4 %". Policies that do not fit are left out at the end.
/// @param width columns there are
std::string accuracies_text(const EvalRun& run, std::size_t width);

/// Tables, one a task: accuracy, difference to the full model, speed, and what to be wary of.
std::string format_results(const std::vector<ArmSummary>& summaries, const Style& style);

}  // namespace litestage::app
