#include "offline/early_sweep.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "eval/paired_accuracy.h"

namespace litestage {
namespace {

constexpr std::array MARGINS = {0.99, 0.95, 0.9,  0.85, 0.8,  0.75, 0.7,  0.65, 0.6,  0.55, 0.5,
                                0.45, 0.4,  0.35, 0.3,  0.25, 0.2,  0.15, 0.1,  0.05, 0.02};

/// What one question does where early answers are taken at a margin.
struct Outcome {
  bool correct = false;
  bool left = false;
  double ms = 0;
};

Outcome outcome_at(const EarlyTrial& trial, double margin) {
  for (const EarlyTrial::Look& look : trial.looks) {
    if (look.margin >= margin) return {look.correct, true, look.ms};
  }
  return {trial.correct, false, trial.ms};
}

void count(EarlyCandidate& candidate, bool full_correct, const Outcome& outcome, double share) {
  ++candidate.questions;
  candidate.correct += outcome.correct ? 1 : 0;
  candidate.lost += full_correct && !outcome.correct ? 1 : 0;
  candidate.gained += !full_correct && outcome.correct ? 1 : 0;
  candidate.left += outcome.left ? 1 : 0;
  candidate.ms += outcome.ms * share;
}

EarlyCandidate candidate_of(const EarlyBase& base, const EarlyArm& arm, double margin) {
  assert(arm.trials.size() == base.full_correct.size());
  EarlyCandidate candidate;
  candidate.early = {margin, arm.most_branches, arm.ask_first};
  const double share = 1 / static_cast<double>(arm.trials.size());
  for (std::size_t i = 0; i < arm.trials.size(); ++i)
    count(candidate, base.full_correct[i], outcome_at(arm.trials[i], margin), share);
  return candidate;
}

EarlyCandidate without_early_answers(const EarlyBase& base) {
  EarlyCandidate none;
  const double share = 1 / static_cast<double>(base.full_correct.size());
  for (std::size_t i = 0; i < base.full_correct.size(); ++i)
    count(none, base.full_correct[i], {base.plan_correct[i], false, base.ms}, share);
  return none;
}

}  // namespace

EarlySweep sweep_early_answers(const EarlyBase& base, const std::vector<EarlyArm>& arms,
                               double max_loss) {
  assert(!base.full_correct.empty() && base.full_correct.size() == base.plan_correct.size());
  EarlySweep sweep;
  sweep.candidates.push_back(without_early_answers(base));
  for (const EarlyArm& arm : arms) {
    if (arm.most_branches > 0 && !arm.ask_first)
      sweep.candidates.push_back(candidate_of(base, arm, EarlyAnswers::NEVER));
    for (const double margin : MARGINS)
      sweep.candidates.push_back(candidate_of(base, arm, margin));
  }
  for (std::size_t i = 1; i < sweep.candidates.size(); ++i) {
    const EarlyCandidate& candidate = sweep.candidates[i];
    const PairedCounts counts = {candidate.questions, candidate.lost, candidate.gained};
    if (counts.within(max_loss) && candidate.ms < sweep.candidates[sweep.chosen].ms)
      sweep.chosen = i;
  }
  return sweep;
}

}  // namespace litestage
