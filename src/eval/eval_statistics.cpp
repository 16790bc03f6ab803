#include "eval/eval_statistics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <utility>

namespace litestage {
namespace {

using Records = std::vector<const EvalRecord*>;

TimeTotals totals_of(const Records& records) {
  TimeTotals totals;
  for (const EvalRecord* record : records)
    totals.add(*record);
  return totals;
}

std::vector<double> times_of(const Records& records) {
  std::vector<double> times;
  for (const EvalRecord* record : records)
    times.push_back(record->total_ms);
  return times;
}

Records timed_ones(const Records& records) {
  Records timed;
  std::ranges::copy_if(records, std::back_inserter(timed), &EvalRecord::timed);
  return timed;
}

/// Stages in the order in which records have them.
std::vector<StageTimes> stage_times(const Records& records) {
  std::vector<StageTimes> stages;
  for (const EvalRecord* record : records) {
    for (const EvalStage& stage : record->stages) {
      auto found = std::find_if(stages.begin(), stages.end(),
                                [&](const StageTimes& times) { return times.stage == stage.name; });
      if (found == stages.end()) {
        stages.push_back({stage.name, 0, 0, 0, 0});
        found = std::prev(stages.end());
      }
      found->prefill_ms += stage.prefill_ms;
      found->decode_ms += stage.decode_ms;
      found->tokens += stage.tokens;
      found->fresh += stage.prompt_tokens - stage.reused_tokens;
    }
  }
  const auto count = static_cast<double>(records.size());
  for (StageTimes& stage : stages) {
    stage.prefill_ms /= count;
    stage.decode_ms /= count;
    stage.tokens /= count;
    stage.fresh /= count;
  }
  return stages;
}

/// NaN where either is nothing.
double ratio(double numerator, double denominator) {
  return numerator > 0 && denominator > 0 ? numerator / denominator
                                          : std::numeric_limits<double>::quiet_NaN();
}

void compare_accuracy(Comparison& comparison, const Records& full, const Records& arm) {
  comparison.questions = static_cast<int>(full.size());
  for (std::size_t i = 0; i < full.size(); ++i) {
    comparison.lost += full[i]->correct && !arm[i]->correct ? 1 : 0;
    comparison.gained += arm[i]->correct && !full[i]->correct ? 1 : 0;
  }
  comparison.difference =
      100 * (comparison.gained - comparison.lost) / static_cast<double>(full.size());
  const Interval interval =
      paired_difference_95(comparison.lost, comparison.gained, comparison.questions);
  comparison.difference_95 = {100 * interval.low, 100 * interval.high};
  comparison.mcnemar_p = mcnemar_exact(comparison.lost, comparison.gained);
}

/// @param full, arm timed ones, at least one
void compare_times(Comparison& comparison, const Records& full, const Records& arm,
                   std::uint32_t seed) {
  comparison.timed = static_cast<int>(full.size());
  const auto count = static_cast<double>(full.size());
  comparison.speedup = bootstrap_ratio_95(times_of(full), times_of(arm), seed);
  const TimeTotals before = totals_of(full);
  const TimeTotals after = totals_of(arm);
  comparison.saved_reading_ms = (before.prefill_ms - after.prefill_ms) / count;
  comparison.saved_writing_ms = (before.decode_ms - after.decode_ms) / count;
  comparison.saved_overhead_ms = (before.overhead_ms() - after.overhead_ms()) / count;
  comparison.gain_per_token =
      ratio(ratio(before.decode_ms, before.tokens), ratio(after.decode_ms, after.tokens));
  comparison.length_change = ratio(before.tokens, after.tokens);
  comparison.gain_reading = ratio(before.prefill_ms, after.prefill_ms);
}

/// The records of questions that both arms have, in one order: what is left out of one of the lists
/// is left out of the pairs.
std::pair<Records, Records> paired(const Records& full, const Records& arm) {
  std::map<std::string, const EvalRecord*> by_id;
  for (const EvalRecord* record : full)
    by_id.emplace(record->id, record);
  std::pair<Records, Records> both;
  for (const EvalRecord* record : arm) {
    const auto found = by_id.find(record->id);
    if (found == by_id.end() || found->second->question_hash != record->question_hash) continue;
    both.first.push_back(found->second);
    both.second.push_back(record);
  }
  return both;
}

void add_answers(ArmSummary& summary, const Records& records) {
  const std::set<std::string> tuned_on(summary.arm.tuned_on.begin(), summary.arm.tuned_on.end());
  std::vector<double> rights;
  for (const EvalRecord* record : records) {
    rights.push_back(record->correct ? 1 : 0);
    summary.correct += record->correct ? 1 : 0;
    summary.unanswered += record->prediction.empty() ? 1 : 0;
    summary.tuned_on += tuned_on.contains(record->question_hash) ? 1 : 0;
  }
  summary.questions = static_cast<int>(records.size());
  summary.accuracy = mean(rights);
  summary.accuracy_stderr = standard_deviation(rights) / std::sqrt(summary.questions);
  summary.accuracy_95 = wilson_95(summary.correct, summary.questions);
  summary.tokens = totals_of(records).tokens / summary.questions;
}

/// @param records timed ones, at least one
void add_times(ArmSummary& summary, const Records& records, std::uint32_t seed) {
  summary.timed = static_cast<int>(records.size());
  const std::vector<double> times = times_of(records);
  summary.mean_ms = mean(times);
  summary.mean_ms_95 = bootstrap_mean_95(times, seed);
  summary.p50_ms = percentile(times, 50);
  summary.p90_ms = percentile(times, 90);
  if (summary.timed >= LEAST_FOR_P99) summary.p99_ms = percentile(times, 99);
  summary.overhead_ms = totals_of(records).overhead_ms() / summary.timed;
  summary.stages = stage_times(records);
}

/// The arm that answers an arm's task with the full model; -1 when there is none, or it is the arm.
int full_arm_of(const EvalHeader& header, int arm) {
  const EvalArm& own = header.arms[static_cast<std::size_t>(arm)];
  if (own.policy == "full") return -1;
  const auto found = std::find_if(
      header.arms.begin(), header.arms.end(),
      [&](const EvalArm& other) { return other.policy == "full" && other.task == own.task; });
  return found == header.arms.end() ? -1 : static_cast<int>(found - header.arms.begin());
}

}  // namespace

void TimeTotals::add(const EvalRecord& record) {
  total_ms += record.total_ms;
  for (const EvalStage& stage : record.stages) {
    prefill_ms += stage.prefill_ms;
    decode_ms += stage.decode_ms;
    tokens += stage.tokens;
  }
}

std::vector<ArmSummary> summarize(const EvalRun& run) {
  std::vector<Records> by_arm(run.header.arms.size());
  for (const EvalRecord& record : run.records)
    by_arm[static_cast<std::size_t>(record.arm)].push_back(&record);
  std::vector<ArmSummary> summaries;
  for (std::size_t arm = 0; arm < by_arm.size(); ++arm) {
    const Records timed = timed_ones(by_arm[arm]);
    if (timed.empty()) continue;
    ArmSummary summary;
    summary.arm = run.header.arms[arm];
    add_answers(summary, by_arm[arm]);
    add_times(summary, timed, run.header.seed);
    if (const int full = full_arm_of(run.header, static_cast<int>(arm)); full >= 0) {
      const Records& full_records = by_arm[static_cast<std::size_t>(full)];
      const auto [first, second] = paired(full_records, by_arm[arm]);
      const auto [first_timed, second_timed] = paired(timed_ones(full_records), timed);
      if (!first_timed.empty()) {
        Comparison& comparison = summary.against_full.emplace();
        compare_accuracy(comparison, first, second);
        compare_times(comparison, first_timed, second_timed, run.header.seed);
      }
    }
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

}  // namespace litestage
