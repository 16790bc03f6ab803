#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "litestage/generation_early_exit.h"

namespace litestage {

/// What one stage (or one branch of it) wrote, with nothing cut.
struct ReplayText {
  std::vector<Confidence> confidences;  ///< one a token written, as generation records them
  int question = 0;
  bool correct = false;  ///< whether the question was answered right
};

/// Where a rule's threshold would have ended a text.
struct ReplayEnd {
  std::size_t tokens = 0;  ///< kept, before any rollback; all of them when the rule does not fire
  bool fired = false;      ///< at the last token too: a rollback could still shorten the text

  bool operator==(const ReplayEnd&) const = default;
};

/// The same window as in generation, fed with recorded confidences. A cut text is the start of the
/// whole one, so this is exact for the cut stage itself; what later stages make of it takes a run.
/// Only kind, window and threshold play a part.
ReplayEnd replay(const ExitRule& rule, std::span<const Confidence> confidences);

/// A rule with what replay says of it.
struct RatedExitRule {
  ExitRule rule;
  long tokens = 0;  ///< of all texts, uncut
  long tokens_saved = 0;
  double saved = 0;  ///< share of the texts' time: of their tokens, less what the whole head costs
  int texts_cut = 0;
  int right = 0;      ///< questions answered right
  int right_cut = 0;  ///< of these, with a text cut
};

struct ExitRuleOptions {
  std::size_t count = 4;        ///< rules returned at most
  double most_right_cut = 0.1;  ///< share of the right questions with a text cut
  bool as_in_paper = false;     ///< by the largest logit alone (paper, step 3)
  /// What a token takes with the whole head over what it takes as it is: above 1 where a preview of
  /// the head is in use. Every kind but the largest logit needs all logits, and so the whole head.
  double whole_head = 1;
};

/// The rules that save most of a stage's texts' time while cutting few texts of right answers, best
/// first: to be confirmed by generation, since a cut text may still lead to the right answer or
/// lead later stages astray.
///
/// Tries every kind of confidence, windows of 4, 8, 16 and 32 tokens, and thresholds at quantiles
/// of the windows' means, spaced geometrically down from the median (a text ends at its lowest
/// mean, so the quantiles that matter are small). Of rules that cut alike everywhere the one stays
/// that saves most, of equal ones that of the smallest window, cheapest kind first. Rules that save
/// nothing are left out.
std::vector<RatedExitRule> exit_rule_candidates(std::span<const ReplayText> texts,
                                                const ExitRuleOptions& options = {});

}  // namespace litestage
