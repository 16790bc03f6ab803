#pragma once

#include <map>
#include <string>
#include <vector>

#include "eval/eval_statistics.h"
#include "report/report.h"

namespace litestage {

/// One policy on a group's task.
struct ReportArm {
  std::string label;  ///< the policy; with program or number where it stands twice
  ArmSummary summary;
  std::map<std::string, const EvalRecord*> records;  ///< by the question's id
};

/// What is compared with each other: all arms on one task that have one full model, of all files.
struct ReportGroup {
  std::string name;             ///< the task; with model and program where it stands twice
  std::string id;               ///< unique in a page, a plain word
  EvalRun run;                  ///< of this group alone; arms of several files have become one
  std::vector<ReportArm> arms;  ///< the full model first, the others in the files' order
  std::vector<std::string> machines;  ///< "PROCESSOR, 2 threads", each once
  std::vector<std::string> versions;  ///< "litestage 0.1.0, ggml 0.25.3", each once

  /// The full model's arm, or nullptr.
  const ReportArm* full() const;
};

/// Puts the files' records together by task and full model. A file without the full model on a task
/// joins the only group there is for it.
///
/// Not to be copied: arms point to the records of `run`.
/// @throws UserError when there is no record at all, or one arm has answered a question in two
/// files
std::vector<ReportGroup> report_groups(const ReportInput& input);

/// One question answered by two arms.
struct RecordPair {
  const EvalRecord* left;
  const EvalRecord* right;
};
/// Every question that both arms have answered, by id; what has one id but asks another thing is
/// not the same question.
std::vector<RecordPair> common_questions(const ReportArm& left, const ReportArm& right);

/// The stages of a group's programs, each once, in the order in which they come.
std::vector<std::string> stage_names(const ReportGroup& group);

}  // namespace litestage
