#pragma once

#include <cstddef>
#include <vector>

#include "litestage/plan.h"

namespace litestage {

/// One question that was taken through all its stages, and what its early answers would have been
/// on the way.
struct EarlyTrial {
  /// An early answer that was asked for.
  struct Look {
    double margin = 0;  ///< how much likelier the likeliest option is than the next
    bool correct = false;
    double ms = 0;  ///< that the question has taken by then, the look included
  };
  std::vector<Look> looks;  ///< in the order in which they were asked for
  bool correct = false;     ///< with all stages
  double ms = 0;            ///< with all stages and looks
};

/// All questions, asked and branched in one way (EarlyAnswers).
struct EarlyArm {
  int most_branches = 0;
  bool ask_first = false;
  std::vector<EarlyTrial> trials;
};

/// One way to answer early, and what comes of it.
struct EarlyCandidate {
  EarlyAnswers early;
  int questions = 0;
  int correct = 0;
  int lost = 0;    ///< right with the full model alone
  int gained = 0;  ///< right this way alone
  int left = 0;    ///< questions whose last stages were left out
  double ms = 0;   ///< mean of a question
  bool operator==(const EarlyCandidate&) const = default;
};

/// Every way to answer early that was looked at; the first one asks for no early answer.
struct EarlySweep {
  std::vector<EarlyCandidate> candidates;
  std::size_t chosen = 0;
  bool operator==(const EarlySweep&) const = default;
};

/// What the plan does without early answers.
struct EarlyBase {
  std::vector<bool> full_correct;  ///< the full model, a question
  std::vector<bool> plan_correct;
  double ms = 0;  ///< of the plan, mean of a question
};

/// Tries margins by replay: an arm's looks tell where each of them would have stopped, so nothing
/// is generated. Of those whose observed loss to the full model is within the limit the fastest one
/// is chosen, of equal ones the one that leaves at the larger margin.
/// @param arms of as many trials as the base has questions
EarlySweep sweep_early_answers(const EarlyBase& base, const std::vector<EarlyArm>& arms,
                               double max_loss);

}  // namespace litestage
