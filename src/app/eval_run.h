#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "app/model_options.h"
#include "base/ranks.h"
#include "eval/question_part.h"
#include "litestage/decoder.h"

namespace litestage::app {

/// What `litestage eval` was asked for.
struct EvalSettings {
  ModelArguments model;
  DecoderOptions decoder;
  std::vector<std::string> tasks;     ///< NAME:PATH, several joined by commas
  std::vector<std::string> programs;  ///< NAME|PATH for all tasks, or TASK=NAME|PATH for one
  std::vector<std::string> policies;  ///< as parse_policy takes them
  std::vector<std::string> importances;
  std::vector<std::string> exit_plans;
  QuestionPart part;
  bool shuffle = false;
  std::size_t offset = 0;
  std::vector<std::string> others;  ///< records of other runs, whose questions are passed over
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  std::uint32_t seed = 0;
  /// So many first questions of each task are answered one at a time, for their times.
  std::size_t timed = std::numeric_limits<std::size_t>::max();
  int parallel = 8;    ///< of the others, so many at the same time
  std::string output;  ///< records; results are put beside them
  bool json = false;
};

/// Evaluates the policies on the tasks; returns the exit code.
/// @param ranks processes that share the questions, or null; only the first one shows anything
int run_eval(const EvalSettings& settings, Ranks* ranks);

/// "runs/x.jsonl" -> "runs/x.results.json"
std::string results_path(const std::string& records);

}  // namespace litestage::app
