#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "litestage/plan.h"
#include "litestage/program.h"
#include "litestage/question.h"
#include "offline/answers_ahead.h"
#include "offline/early_sweep.h"
#include "offline/stage_store.h"

namespace litestage {

struct EarlySearchInput {
  Answerers who;
  const Program& program;
  const std::vector<Question>& questions;
  const Plan& plan;  ///< whose stages and KV reuse the early answers are for
  StageStore& store;
};

struct EarlySearchOptions {
  double max_loss = 2;      ///< points, to the full model
  int timed_questions = 6;  ///< really run one at a time, for what each stage takes
};

struct EarlySearchProgress {
  std::string what;  ///< the way that is tried, or "times"
  int done = 0;      ///< questions
  int total = 0;
  std::optional<int> right;  ///< of those that are done; none while times are taken
};

/// Searches when a plan's questions may be answered early, and for how many options its branches
/// are run. Each number of branches is run once on all questions, with looks that never stop it;
/// margins are then tried by replay. Finished work is in the store, times among it.
/// @return nothing when it was stopped; no candidates where the program has no early answer or no
/// question has options
std::optional<EarlySweep> search_early_answers(
    const EarlySearchInput& input, const EarlySearchOptions& options,
    const std::function<void(const EarlySearchProgress&)>& progress = {},
    const std::atomic<bool>* stop = nullptr);

}  // namespace litestage
