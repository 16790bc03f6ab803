#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/binomial.h"
#include "base/statistics.h"
#include "eval/eval_record.h"

namespace litestage {

/// Two-sided p value of McNemar's exact test: of the questions on which two arms differ, either
/// side is as likely under the null (a binomial test at 1/2); 1 for none.
double mcnemar_exact(int lost, int gained);

/// The p-th percentile of values, by the definition documented in docs/evaluation.md (linear
/// interpolation between order statistics, Hyndman and Fan's type 7).
/// @param p 0..100; values need no order, at least one
double percentile(std::span<const double> values, double p);

/// A 95 % percentile bootstrap interval of the mean of paired differences, resampling questions.
/// @param values one a question, at least one
Interval bootstrap_mean_95(std::span<const double> values, std::uint32_t seed,
                           int resamples = 2000);
/// Ratio of sums, numerator / denominator, with its 95 % percentile bootstrap interval over
/// questions: how much faster all questions together were.
Ratio bootstrap_ratio_95(std::span<const double> numerator, std::span<const double> denominator,
                         std::uint32_t seed, int resamples = 2000);

/// Where a question's time goes, means in milliseconds.
struct StageTimes {
  std::string stage;
  double prefill_ms = 0;
  double decode_ms = 0;
  double tokens = 0;  ///< written, all branches
  double fresh = 0;   ///< read: prompt tokens that no cache held
};

/// How an arm compares with the full model on the same questions.
struct Comparison {
  int questions = 0;       ///< answered by both
  int lost = 0;            ///< right with full alone
  int gained = 0;          ///< right with the arm alone
  double difference = 0;   ///< points of accuracy, arm less full
  Interval difference_95;  ///< bootstrap, points
  double mcnemar_p = 1;
  Ratio speedup;  ///< full's time / the arm's, all questions together
  /// Where the speedup comes from: their product with `other` is the speedup.
  double gain_per_token = 1;  ///< full's decode ms a token / the arm's
  double length_change = 1;   ///< full's tokens / the arm's
  double gain_reading = 1;    ///< full's prefill ms / the arm's
};

/// One arm's figures.
struct ArmSummary {
  EvalArm arm;
  int questions = 0;
  int correct = 0;
  double accuracy = 0;  ///< 0..1
  double accuracy_stderr = 0;
  Interval accuracy_95;  ///< Wilson
  int unanswered = 0;    ///< no prediction could be read
  int tuned_on = 0;      ///< of these questions, how many the policy was tuned on
  double mean_ms = 0;
  Interval mean_ms_95;  ///< bootstrap
  double p50_ms = 0;
  double p90_ms = 0;
  std::optional<double> p99_ms;  ///< from LEAST_FOR_P99 questions on
  double tokens = 0;             ///< written for a question, mean
  double overhead_ms = 0;        ///< neither reading nor writing, mean
  std::vector<StageTimes> stages;
  std::optional<Comparison> against_full;  ///< when the run has the policy "full" on the same task
};

/// The fewest samples of which the second largest lies, with 99 % confidence, not below the 99th
/// percentile; below that a p99 is a guess.
inline constexpr int LEAST_FOR_P99 = 662;

/// One summary an arm, in the header's order; arms without a record are left out.
std::vector<ArmSummary> summarize(const EvalRun& run);

}  // namespace litestage
