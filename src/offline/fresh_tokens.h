#pragma once

#include <string>
#include <vector>

#include "litestage/plan.h"
#include "stage/stage_runner.h"

namespace litestage {

/// What one stage of one question was run with and wrote.
struct StageLog {
  std::string stage;
  StageSettings settings;
  std::vector<StageContext> contexts;
  std::vector<std::vector<Token>> texts;  ///< one a context
  std::vector<std::vector<Confidence>> confidences;
};

/// Tokens that each stage of one question has to read itself, in a run in which every stage is
/// really run one after the other: told from the contexts alone, so that it does not matter which
/// of them were remembered.
/// @param stages in the order they ran
/// @param preamble what is kept under every mask that a stage reads under
std::vector<int> fresh_tokens(const std::vector<StageLog>& stages,
                              const std::vector<Token>& preamble, KvReuse reuse);

}  // namespace litestage
