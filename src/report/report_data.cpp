#include "report/report_data.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/utf8.h"
#include "litestage/error.h"

namespace litestage {
namespace {

constexpr const char* FULL = "full";

void add_once(std::vector<std::string>& list, std::string text) {
  if (std::ranges::find(list, text) == list.end()) list.push_back(std::move(text));
}

/// The full model's arm on a task, or nullptr.
const EvalArm* full_arm(const EvalHeader& header, const std::string& task) {
  const auto found = std::ranges::find_if(
      header.arms, [&](const EvalArm& arm) { return arm.task == task && arm.policy == FULL; });
  return found == header.arms.end() ? nullptr : &*found;
}

std::vector<std::string> tasks_of(const EvalHeader& header) {
  std::vector<std::string> tasks;
  for (const EvalArm& arm : header.arms)
    add_once(tasks, arm.task);
  return tasks;
}

/// A group while it is put together.
struct Collection {
  std::string task;
  std::optional<EvalArm> full;
  ReportGroup group = {};
  std::map<std::pair<int, std::string>, std::string> answered_in = {};  ///< (arm, question) -> file
};

Collection& collection_for(std::vector<Collection>& all, const std::string& task,
                           const EvalArm* full) {
  std::vector<std::size_t> of_task;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].task != task) continue;
    if (full != nullptr && all[i].full && *all[i].full == *full) return all[i];
    of_task.push_back(i);
  }
  if (full == nullptr && of_task.size() == 1) return all[of_task.front()];
  if (full != nullptr || of_task.empty()) {
    all.push_back({task, full == nullptr ? std::nullopt : std::optional(*full)});
    return all.back();
  }
  // Several full models, and no saying which of them the file goes with.
  const auto alone =
      std::ranges::find_if(of_task, [&](std::size_t i) { return !all[i].full.has_value(); });
  if (alone != of_task.end()) return all[*alone];
  all.push_back({task, std::nullopt});
  return all.back();
}

void add_file(Collection& into, const ReportInput::Named& file) {
  const EvalHeader& header = file.run.header;
  EvalHeader& merged = into.group.run.header;
  std::map<int, int> arm_number;  // the file's to the group's
  for (std::size_t i = 0; i < header.arms.size(); ++i) {
    if (header.arms[i].task != into.task) continue;
    const auto known = std::ranges::find(merged.arms, header.arms[i]);
    arm_number[static_cast<int>(i)] = static_cast<int>(known - merged.arms.begin());
    if (known == merged.arms.end()) merged.arms.push_back(header.arms[i]);
  }
  bool has_records = false;
  for (const EvalRecord& record : file.run.records) {
    const auto number = arm_number.find(record.arm);
    if (number == arm_number.end()) continue;
    const auto [first, is_new] =
        into.answered_in.try_emplace({number->second, record.id}, file.name);
    if (!is_new) {
      throw UserError(
          file.name,
          fmt::format("the policy {} has answered the question {} of {} in {} too",
                      displayable(header.arms[static_cast<std::size_t>(record.arm)].policy),
                      displayable(record.id), displayable(into.task), first->second),
          "report the two files apart");
    }
    into.group.run.records.push_back(record);
    into.group.run.records.back().arm = number->second;
    has_records = true;
  }
  if (!has_records) return;
  merged.seed = header.seed;
  add_once(into.group.machines, fmt::format("{}, {} thread{}", header.machine, header.threads,
                                            header.threads == 1 ? "" : "s"));
  add_once(into.group.versions,
           fmt::format("litestage {}, ggml {}", header.litestage_version, header.ggml_version));
}

void label_arms(std::vector<ReportArm>& arms) {
  const auto doubled = [&arms](const std::string& label) {
    return std::ranges::count(arms, label, &ReportArm::label) > 1;
  };
  std::set<std::string> unclear;
  for (ReportArm& arm : arms) {
    if (doubled(arm.label)) unclear.insert(arm.label);
  }
  for (ReportArm& arm : arms) {
    if (unclear.contains(arm.label))
      arm.label += fmt::format(" ({} on {})", arm.summary.arm.program, arm.summary.arm.model_name);
  }
  std::map<std::string, int> times;
  for (ReportArm& arm : arms) {
    const int number = ++times[arm.label];
    if (number > 1) arm.label += fmt::format(" #{}", number);
  }
}

ReportGroup finished(Collection& collection) {
  ReportGroup group = std::move(collection.group);
  for (ArmSummary& summary : summarize(group.run))
    group.arms.push_back({summary.arm.policy, std::move(summary), {}});
  std::stable_partition(group.arms.begin(), group.arms.end(),
                        [](const ReportArm& arm) { return arm.summary.arm.policy == FULL; });
  label_arms(group.arms);
  for (ReportArm& arm : group.arms) {
    const auto number =
        std::ranges::find(group.run.header.arms, arm.summary.arm) - group.run.header.arms.begin();
    for (const EvalRecord& record : group.run.records) {
      if (record.arm == number) arm.records.emplace(record.id, &record);
    }
  }
  return group;
}

/// Names that tell the groups apart.
void name_groups(std::vector<ReportGroup>& groups, const std::vector<std::string>& tasks) {
  for (std::size_t i = 0; i < groups.size(); ++i) {
    ReportGroup& group = groups[i];
    const EvalArm& arm = group.arms.front().summary.arm;
    const bool is_only = std::ranges::count(tasks, tasks[i]) == 1;
    group.name =
        is_only ? tasks[i] : fmt::format("{} ({} on {})", tasks[i], arm.program, arm.model_name);
    group.id = fmt::format("task{}", i + 1);
  }
}

}  // namespace

const ReportArm* ReportGroup::full() const {
  if (arms.empty() || arms.front().summary.arm.policy != FULL) return nullptr;
  return &arms.front();
}

std::vector<ReportGroup> report_groups(const ReportInput& input) {
  std::vector<Collection> all;
  // Those with a full model first: a file without one then finds the group it belongs to.
  for (const bool with_full : {true, false}) {
    for (const ReportInput::Named& file : input.runs) {
      for (const std::string& task : tasks_of(file.run.header)) {
        const EvalArm* full = full_arm(file.run.header, task);
        if ((full != nullptr) == with_full) add_file(collection_for(all, task, full), file);
      }
    }
  }
  std::vector<ReportGroup> groups;
  std::vector<std::string> tasks;
  for (Collection& collection : all) {
    if (collection.group.run.records.empty()) continue;
    ReportGroup group = finished(collection);
    if (group.arms.empty()) continue;
    groups.push_back(std::move(group));
    tasks.push_back(collection.task);
  }
  if (groups.empty()) {
    throw UserError(input.runs.empty() ? "report" : input.runs.front().name,
                    "there is no record of an answered question with its time",
                    "run 'litestage eval' to its end, or at least past its first question");
  }
  name_groups(groups, tasks);
  return groups;
}

std::vector<RecordPair> common_questions(const ReportArm& left, const ReportArm& right) {
  std::vector<RecordPair> pairs;
  for (const auto& [id, record] : left.records) {
    const auto found = right.records.find(id);
    if (found == right.records.end()) continue;
    if (found->second->question_hash == record->question_hash)
      pairs.push_back({record, found->second});
  }
  return pairs;
}

std::vector<std::string> stage_names(const ReportGroup& group) {
  std::vector<std::string> names;
  for (const ReportArm& arm : group.arms) {
    for (const StageTimes& stage : arm.summary.stages)
      add_once(names, stage.stage);
  }
  return names;
}

}  // namespace litestage
