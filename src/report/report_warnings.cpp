#include "report/report_warnings.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace litestage {
namespace {

void warn_of_tuning(const ReportGroup& group, std::vector<std::string>& warnings) {
  for (const ReportArm& arm : group.arms) {
    const ArmSummary& summary = arm.summary;
    if (summary.tuned_on == 0) continue;
    warnings.push_back(
        fmt::format("{} was tuned on {} of its {} questions: how it does on those says nothing of "
                    "new ones.",
                    arm.label, summary.tuned_on, summary.questions));
  }
}

void warn_of_unequal_questions(const ReportGroup& group, std::vector<std::string>& warnings) {
  const ReportArm* full = group.full();
  if (full == nullptr) {
    warnings.emplace_back(
        "There is no full model among these policies: nothing says what they lose or gain.");
    return;
  }
  for (const ReportArm& arm : group.arms) {
    if (&arm == full) continue;
    const std::size_t common = common_questions(*full, arm).size();
    if (common == full->records.size() && common == arm.records.size()) continue;
    warnings.push_back(fmt::format(
        "{} answered {} questions and the full model {}, {} of them the same: accuracies "
        "and times of the two are of different questions; differences and speedups are "
        "of the common ones.",
        arm.label, arm.records.size(), full->records.size(), common));
  }
}

void warn_of_few_questions(const ReportGroup& group, std::vector<std::string>& warnings) {
  const auto fewest = std::ranges::min_element(
      group.arms, {}, [](const ReportArm& arm) { return arm.summary.questions; });
  const ArmSummary& summary = fewest->summary;
  if (summary.questions >= FEW_QUESTIONS) return;
  warnings.push_back(
      fmt::format("Few questions: {} with {}; the interval of an accuracy is {:.0f} points wide.",
                  summary.questions, fewest->label,
                  100 * (summary.accuracy_95.high - summary.accuracy_95.low)));
}

}  // namespace

std::vector<std::string> report_warnings(const ReportGroup& group) {
  std::vector<std::string> warnings;
  warn_of_tuning(group, warnings);
  warn_of_unequal_questions(group, warnings);
  warn_of_few_questions(group, warnings);
  if (group.machines.size() > 1) {
    warnings.push_back(
        fmt::format("Times of different machines are mixed: {}.", fmt::join(group.machines, "; ")));
  }
  if (group.versions.size() > 1) {
    warnings.push_back(
        fmt::format("Different versions were at work: {}.", fmt::join(group.versions, "; ")));
  }
  return warnings;
}

}  // namespace litestage
