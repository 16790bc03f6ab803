#pragma once

#include <set>
#include <string>
#include <vector>

#include "app/eval_run.h"
#include "eval/eval_record.h"
#include "eval/evaluate.h"
#include "litestage/program.h"

namespace litestage::app {

/// A task as an evaluation takes it.
struct LoadedTask {
  EvalTask task;                ///< the questions that were chosen
  std::set<std::string> whole;  ///< question_hash of all its set's questions
  std::string program_name;     ///< as it was called: a name or a path
  Program program;
  Program direct;  ///< the answer straight from the question
};

/// Reads the sets and programs that the settings name. The well-known tasks openbookqa,
/// commonsenseqa, strategyqa and gsm8k must be in their published formats; any other name goes with
/// any format. The program of a task is the one named for it, else the one all its questions ask
/// for, else recall-analyze-answer where they have options and plan-solve where they have none.
/// @param others what settings.others hold: the questions that were answered there are passed over
/// @throws UserError for anything wrong with the words, the sets or the programs
std::vector<LoadedTask> load_tasks(const EvalSettings& settings,
                                   const std::vector<EvalRun>& others);

}  // namespace litestage::app
