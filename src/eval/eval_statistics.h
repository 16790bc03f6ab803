#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/binomial.h"
#include "base/statistics.h"
#include "eval/eval_record.h"

namespace litestage {

/// Sums over answers: where their time went.
struct TimeTotals {
  double total_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
  double tokens = 0;  ///< written

  void add(const EvalRecord& record);
  double overhead_ms() const { return total_ms - prefill_ms - decode_ms; }
};

/// Where a question's time goes, means in milliseconds.
struct StageTimes {
  std::string stage;
  double prefill_ms = 0;
  double decode_ms = 0;
  double tokens = 0;  ///< written, all branches
  double fresh = 0;   ///< read: prompt tokens that no cache held
};

/// How an arm compares with the full model on the same questions; docs/evaluation.md has the
/// definitions. Accuracies are of all questions that both have answered, times and lengths of those
/// that both have timed.
///
/// Time is saved in reading, in writing and in the rest, and what is saved adds up:
///   full's mean_ms - the arm's = saved_reading_ms + saved_writing_ms + saved_overhead_ms.
/// Ratios do not add up. Writing alone is a product:
///   full's decode ms / the arm's = gain_per_token * length_change.
struct Comparison {
  int questions = 0;       ///< answered by both
  int timed = 0;           ///< of these, timed in both, at least 1
  int lost = 0;            ///< right with full alone
  int gained = 0;          ///< right with the arm alone
  double difference = 0;   ///< points of accuracy, arm less full
  Interval difference_95;  ///< points; paired_difference_95
  double mcnemar_p = 1;
  Ratio speedup;                ///< full's time / the arm's, all questions together; bootstrap
  double saved_reading_ms = 0;  ///< a question, mean; negative when the arm takes longer
  double saved_writing_ms = 0;
  double saved_overhead_ms = 0;  ///< templates, tokens to text, sampling's bookkeeping
  /// The next three are NaN where either side has nothing of the kind.
  double gain_per_token = 1;  ///< full's decode ms a token / the arm's
  double length_change = 1;   ///< full's tokens / the arm's
  double gain_reading = 1;    ///< full's prefill ms / the arm's
};

/// One arm's figures. Times, `overhead_ms` and `stages` are of timed questions.
struct ArmSummary {
  EvalArm arm;
  int questions = 0;
  int timed = 0;  ///< of these, at least 1
  int correct = 0;
  double accuracy = 0;         ///< 0..1
  double accuracy_stderr = 0;  ///< sample standard deviation / sqrt(questions)
  Interval accuracy_95;        ///< Wilson
  int unanswered = 0;          ///< no prediction could be read
  int tuned_on = 0;            ///< of these questions, how many the policy was tuned on
  double mean_ms = 0;
  Interval mean_ms_95;  ///< bootstrap
  double p50_ms = 0;
  double p90_ms = 0;             ///< a guess below LEAST_FOR_P90 timed questions
  std::optional<double> p99_ms;  ///< from LEAST_FOR_P99 timed questions on
  double tokens = 0;             ///< written for a question, mean
  double overhead_ms = 0;        ///< neither reading nor writing, mean
  std::vector<StageTimes> stages;
  std::optional<Comparison> against_full;  ///< when the run has the policy "full" on the same task
};

/// The fewest samples of which the second largest lies, with 99 % confidence, not below the 99th
/// percentile; below that a p99 is a guess. The same of the 90th.
inline constexpr int LEAST_FOR_P99 = 662;
inline constexpr int LEAST_FOR_P90 = 64;

/// One summary an arm, in the header's order; arms without a timed record are left out, and so is
/// the comparison of two that have none in common.
std::vector<ArmSummary> summarize(const EvalRun& run);

}  // namespace litestage
