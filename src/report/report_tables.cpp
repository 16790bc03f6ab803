#include "report/report_tables.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "report/time_sources.h"

namespace litestage {
namespace {

constexpr const char* NONE = "–";

/// A number with its sign; a typographic minus, as wide as the plus.
std::string signed_text(double value, int decimals) {
  std::string digits = fmt::format("{:.{}f}", std::abs(value), decimals);
  if (digits.find_first_not_of("0.") == std::string::npos) return digits;
  return (value < 0 ? "−" : "+") + digits;
}

/// How many times faster; nothing where one of the two does no such work.
std::string factor_text(double factor) {
  return std::isfinite(factor) ? fmt::format("{:.2f}", factor) : NONE;
}

std::string percent_text(double share) {
  return signed_text(100 * share, 1) + " %";
}

std::string p_text(double p) {
  return p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", p);
}

std::string interval_text(double value, const Interval& interval, int decimals) {
  return fmt::format("{:.{}f} ({:.{}f} to {:.{}f})", value, decimals, interval.low, decimals,
                     interval.high, decimals);
}

}  // namespace

std::string speedup_text(const Ratio& speedup) {
  if (!(speedup.low < speedup.high)) return fmt::format("{:.2f}×", speedup.value);
  return fmt::format("{:.2f}× ({:.2f} to {:.2f})", speedup.value, speedup.low, speedup.high);
}

std::string accuracy_text(double accuracy, const Interval& interval) {
  return fmt::format("{:.1f} % ({:.1f} to {:.1f})", 100 * accuracy, 100 * interval.low,
                     100 * interval.high);
}

std::string milliseconds_text(double ms) {
  const double size = std::abs(ms);
  return fmt::format("{:.{}f}", ms, size < 10 ? 2 : size < 1000 ? 1 : 0);
}

ReportTable accuracy_table(const ReportGroup& group) {
  ReportTable table{
      "Accuracy",
      "Brackets are 95 % intervals: Wilson's for an accuracy, Bonett and Price's paired one for a "
      "difference in points. Lost: right with the full model alone; gained: right with the policy "
      "alone. p is McNemar's exact test, two-sided, not corrected for the number of policies.",
      {"policy", "questions", "right", "no answer", "points from full", "lost / gained", "p"},
      {}};
  for (const ReportArm& arm : group.arms) {
    const ArmSummary& summary = arm.summary;
    std::vector<std::string> row = {arm.label, std::to_string(summary.questions),
                                    accuracy_text(summary.accuracy, summary.accuracy_95),
                                    std::to_string(summary.unanswered)};
    if (&arm != group.full() && summary.against_full) {
      const Comparison& against = *summary.against_full;
      row.push_back(fmt::format("{} ({} to {})", signed_text(against.difference, 1),
                                signed_text(against.difference_95.low, 1),
                                signed_text(against.difference_95.high, 1)));
      row.push_back(fmt::format("{} / {}", against.lost, against.gained));
      row.push_back(p_text(against.mcnemar_p));
    } else {
      row.insert(row.end(), {NONE, NONE, NONE});
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

ReportTable latency_table(const ReportGroup& group) {
  const bool has_p99 = std::ranges::any_of(
      group.arms, [](const ReportArm& arm) { return arm.summary.p99_ms.has_value(); });
  ReportTable table{"Latency",
                    "Milliseconds a question, from the prompt to the answer. Brackets are 95 % "
                    "bootstrap intervals over questions; the speedup is the full model's time over "
                    "the policy's, all common questions together. Questions: those that had the "
                    "machine to themselves; others were answered for their accuracy alone.",
                    {"policy", "questions", "mean", "p50", "p90"},
                    {}};
  if (has_p99) table.columns.emplace_back("p99");
  table.columns.emplace_back("speedup");
  for (const ReportArm& arm : group.arms) {
    const ArmSummary& summary = arm.summary;
    std::vector<std::string> row = {
        arm.label, std::to_string(summary.timed),
        fmt::format("{} ({} to {})", milliseconds_text(summary.mean_ms),
                    milliseconds_text(summary.mean_ms_95.low),
                    milliseconds_text(summary.mean_ms_95.high)),
        milliseconds_text(summary.p50_ms),
        summary.timed < LEAST_FOR_P90 ? NONE : milliseconds_text(summary.p90_ms)};
    if (has_p99) row.push_back(summary.p99_ms ? milliseconds_text(*summary.p99_ms) : NONE);
    const bool is_compared = &arm != group.full() && summary.against_full;
    row.push_back(is_compared ? speedup_text(summary.against_full->speedup) : NONE);
    table.rows.push_back(std::move(row));
  }
  return table;
}

ReportTable source_table(const ReportGroup& group) {
  ReportTable table{
      "Source of the speedup",
      "Per cent of the full model's time that each source saves; together they make the "
      "whole. The factors say how much faster each source got for itself.",
      {"policy", "speedup", "saved", "reading", "per token", "length", "other", "reading, factor",
       "per token, factor", "length, factor"},
      {}};
  if (group.full() == nullptr) return table;
  for (const ReportArm& arm : group.arms) {
    if (&arm == group.full() || !arm.summary.against_full) continue;
    const TimeSources sources = time_sources(*group.full(), arm);
    const Comparison& against = *arm.summary.against_full;
    table.rows.push_back({arm.label, fmt::format("{:.2f}×", against.speedup.value),
                          percent_text(sources.saved()), percent_text(sources.reading),
                          percent_text(sources.per_token), percent_text(sources.length),
                          percent_text(sources.other), factor_text(against.gain_reading),
                          factor_text(against.gain_per_token), factor_text(against.length_change)});
  }
  return table;
}

ReportTable time_table(const ReportGroup& group) {
  ReportTable table{
      "Where the time goes",
      "Means over the timed questions. Tokens read are those of the prompt that no cache held; all "
      "branches of a stage together. What is neither reading nor writing is part of the "
      "last row of each policy alone.",
      {"policy, stage", "ms", "reading, ms", "writing, ms", "tokens read", "tokens written",
       "ms a token written"},
      {}};
  const auto add = [&table](const StageTimes& stage, double ms) {
    table.rows.push_back(
        {stage.stage, milliseconds_text(ms), milliseconds_text(stage.prefill_ms),
         milliseconds_text(stage.decode_ms), fmt::format("{:.1f}", stage.fresh),
         fmt::format("{:.1f}", stage.tokens),
         stage.tokens > 0 ? milliseconds_text(stage.decode_ms / stage.tokens) : NONE});
  };
  for (const ReportArm& arm : group.arms) {
    StageTimes all{arm.label + ", all"};
    for (StageTimes stage : arm.summary.stages) {
      all.prefill_ms += stage.prefill_ms;
      all.decode_ms += stage.decode_ms;
      all.fresh += stage.fresh;
      all.tokens += stage.tokens;
      stage.stage = fmt::format("{}, {}", arm.label, stage.stage);
      add(stage, stage.prefill_ms + stage.decode_ms);
    }
    add(all, arm.summary.mean_ms);
  }
  return table;
}

TextLength text_length(const ReportGroup& group, const ReportArm& arm, const std::string& stage) {
  std::vector<double> tokens;
  for (const auto& [question, record] : arm.records) {
    double sum = 0;
    for (const EvalStage& part : record->stages) {
      if (stage.empty() || part.name == stage) sum += part.tokens;
    }
    tokens.push_back(sum);
  }
  return {mean(tokens), bootstrap_mean_95(tokens, group.run.header.seed)};
}

ReportTable length_table(const ReportGroup& group) {
  ReportTable table{"Text lengths",
                    "Tokens written for a question, all branches of a stage together, with 95 % "
                    "bootstrap intervals over questions.",
                    {"policy"},
                    {}};
  const std::vector<std::string> stages = stage_names(group);
  table.columns.insert(table.columns.end(), stages.begin(), stages.end());
  table.columns.emplace_back("together");
  for (const ReportArm& arm : group.arms) {
    std::vector<std::string> row = {arm.label};
    for (std::size_t i = 0; i <= stages.size(); ++i) {
      const bool has_stage = i == stages.size() ||
                             std::ranges::find(arm.summary.stages, stages[i], &StageTimes::stage) !=
                                 arm.summary.stages.end();
      const TextLength length =
          text_length(group, arm, i == stages.size() ? std::string() : stages[i]);
      row.push_back(has_stage ? interval_text(length.tokens, length.tokens_95, 1) : NONE);
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace litestage
