#include "app/eval_view.h"

#include <algorithm>

#include <fmt/format.h>

#include "app/terminal.h"

namespace litestage::app {
namespace {

constexpr double PER_CENT = 100;
constexpr double MS_A_SECOND = 1000;
constexpr int MOST_NAME = 44;

struct Count {
  int questions = 0;
  int correct = 0;
};

/// The error is half of Wilson's interval, brought to one standard error: at 0 and at 100 % it is
/// no zero.
std::string accuracy_text(const Count& count) {
  constexpr double WIDTH = 2 * 1.959963985;
  const Interval interval = wilson_95(count.correct, count.questions);
  const double share = static_cast<double>(count.correct) / count.questions;
  return fmt::format("{:.0f} +- {:.0f}", PER_CENT * share,
                     PER_CENT * (interval.high - interval.low) / WIDTH);
}

/// "+3.0 (-1.2 to +7.1)"
std::string difference_text(const Comparison& comparison) {
  return fmt::format("{:+.1f} ({:+.1f} to {:+.1f})", comparison.difference,
                     comparison.difference_95.low, comparison.difference_95.high);
}

/// One question's time has no interval.
std::string speedup_text(const Ratio& speedup) {
  if (!(speedup.low < speedup.high)) return fmt::format("{:.2f}", speedup.value);
  return fmt::format("{:.2f} ({:.2f} to {:.2f})", speedup.value, speedup.low, speedup.high);
}

std::string seconds_text(double ms) {
  return fmt::format("{:.2f}", ms / MS_A_SECOND);
}

std::string row(const ArmSummary& arm, std::size_t name_width) {
  std::string text = fmt::format("{:<{}}  {:>5.1f} ({:>4.1f} to {:>5.1f})", arm.arm.policy,
                                 name_width, PER_CENT * arm.accuracy,
                                 PER_CENT * arm.accuracy_95.low, PER_CENT * arm.accuracy_95.high);
  const auto& full = arm.against_full;
  text += fmt::format("  {:>23}  {:>6}", full ? difference_text(*full) : "-",
                      full ? fmt::format("{:.3f}", full->mcnemar_p) : "-");
  text += fmt::format("  {:>20}", full ? speedup_text(full->speedup) : "-");
  text += fmt::format("  {:>7}  {:>7}  {:>7.1f}\n", seconds_text(arm.p50_ms),
                      arm.timed >= LEAST_FOR_P90 ? seconds_text(arm.p90_ms) : "-", arm.tokens);
  return text;
}

std::string heading(std::size_t name_width) {
  return fmt::format("{:<{}}  {:>21}  {:>23}  {:>6}  {:>20}  {:>7}  {:>7}  {:>7}\n", "policy",
                     name_width, "right, %", "less full, points", "p", "times as fast", "p50 s",
                     "p90 s", "tokens");
}

/// What a reader must know before believing a row.
std::string warnings(const std::vector<ArmSummary>& summaries) {
  std::string text;
  for (const ArmSummary& arm : summaries) {
    if (arm.tuned_on == 0) continue;
    text += fmt::format("! {} was tuned on {} of its {} questions of {}\n", arm.arm.policy,
                        arm.tuned_on, arm.questions, arm.arm.task);
  }
  return text;
}

}  // namespace

std::string accuracies_text(const EvalRun& run, std::size_t width) {
  const auto arm_of = [&run](const EvalRecord& record) -> const EvalArm& {
    return run.header.arms[static_cast<std::size_t>(record.arm)];
  };
  if (run.records.empty()) return "eval";
  const std::string task = arm_of(run.records.back()).task;
  std::vector<Count> counts(run.header.arms.size());
  for (const EvalRecord& record : run.records) {
    Count& count = counts[static_cast<std::size_t>(record.arm)];
    ++count.questions;
    count.correct += record.correct ? 1 : 0;
  }
  std::string text = task + ":";
  for (std::size_t arm = 0; arm < counts.size(); ++arm) {
    if (run.header.arms[arm].task != task || counts[arm].questions == 0) continue;
    const std::string next = fmt::format("{} {} {}", text.ends_with(':') ? "" : ",",
                                         run.header.arms[arm].policy, accuracy_text(counts[arm]));
    if (text.size() + next.size() > width) return text + " ...";
    text += next;
  }
  return text + " %";
}

void EvalView::show(const EvalProgress& progress) {
  constexpr int FOR_NUMBERS = 46;
  const int width = std::max(20, terminal_width(stderr) - FOR_NUMBERS);
  bar_.show(accuracies_text(*progress.run, static_cast<std::size_t>(width)),
            static_cast<std::uint64_t>(progress.done), static_cast<std::uint64_t>(progress.total),
            "answers", {.seconds_left = progress.seconds_left});
}

std::string format_results(const std::vector<ArmSummary>& summaries, const Style& style) {
  std::size_t name_width = 6;
  for (const ArmSummary& arm : summaries)
    name_width = std::max(name_width, arm.arm.policy.size());
  name_width = std::min<std::size_t>(name_width, MOST_NAME);
  std::string text;
  std::string task;
  bool compared = false;
  for (const ArmSummary& arm : summaries) {
    if (arm.arm.task != task) {
      task = arm.arm.task;
      text += fmt::format(
          "{}{}{}{} · {} questions{} · {} · {}\n", text.empty() ? "" : "\n", style.heading, task,
          style.off, arm.questions,
          arm.timed < arm.questions ? fmt::format(" ({} timed)", arm.timed) : std::string(),
          arm.arm.program, arm.arm.model_name);
      text += fmt::format("{}{}{}", style.quiet, heading(name_width), style.off);
    }
    text += row(arm, name_width);
    compared = compared || arm.against_full.has_value();
  }
  text += "\nIn brackets: 95 % intervals. Tokens are those written for a question, a mean.\n";
  if (compared) {
    text +=
        "p: McNemar's exact test against full; it knows of one comparison, and of twenty one is "
        "below 0.05 by chance.\n";
  }
  const std::string wary = warnings(summaries);
  return wary.empty() ? text : text + style.wrong + wary + style.off;
}

}  // namespace litestage::app
