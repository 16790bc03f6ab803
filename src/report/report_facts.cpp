#include "report/report_facts.h"

#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace litestage {

std::vector<ReportFact> report_facts(const ReportInput& input,
                                     const std::vector<ReportGroup>& groups) {
  std::set<std::string> models;
  std::set<std::string> programs;
  std::set<std::string> machines;
  std::set<std::string> versions;
  std::vector<std::string> tasks;
  for (const ReportGroup& group : groups) {
    std::set<std::string> questions;
    for (const ReportArm& arm : group.arms) {
      models.insert(arm.summary.arm.model_name);
      programs.insert(arm.summary.arm.program);
      for (const auto& [id, record] : arm.records)
        questions.insert(record->question_hash);
    }
    tasks.push_back(fmt::format("{} ({} questions)", group.name, questions.size()));
    machines.insert(group.machines.begin(), group.machines.end());
    versions.insert(group.versions.begin(), group.versions.end());
  }
  std::set<std::string> days;
  for (const ReportInput::Named& file : input.runs)
    days.insert(file.run.header.created.substr(0, 10));
  return {
      {"Tasks", fmt::format("{}", fmt::join(tasks, ", "))},
      {models.size() == 1 ? "Model" : "Models", fmt::format("{}", fmt::join(models, ", "))},
      {programs.size() == 1 ? "Program" : "Programs", fmt::format("{}", fmt::join(programs, ", "))},
      {machines.size() == 1 ? "Machine" : "Machines", fmt::format("{}", fmt::join(machines, "; "))},
      {"Versions", fmt::format("{}", fmt::join(versions, "; "))},
      {"Measured", fmt::format("{}", fmt::join(days, ", "))}};
}

}  // namespace litestage
