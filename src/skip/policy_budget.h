#pragma once

#include <functional>
#include <vector>

#include "litestage/sublayer_mask.h"
#include "skip/policy_kind.h"

namespace litestage {

/// The ways a policy can be made to leave out more and more: 1, 2, ... `most` units.
struct BudgetSteps {
  int most = 0;
  int sublayers = 1;  ///< of a unit: 2 for whole layers
  /// Milliseconds that so many units save of a written token, on average over a text.
  std::function<double(int units)> saved_ms;
};

/// The two units of a budget, `k` and `save`, and what else the policy takes.
std::vector<PolicyParameter> with_budget(const std::vector<PolicyParameter>& more = {});

/// What a mask saves of a written token.
double saved_ms(const SublayerMask& mask, const PolicyStatistics& statistics);

/// The units that a policy's budget comes to: `k` sublayers, rounded up to whole units, or the
/// fewest that save `save` per cent of a written token's milliseconds.
/// @param decode_ms of a written token, nothing left out; 0 when it was not measured
/// @throws UserError when even the most are too few, or `save` is asked for and nothing was
/// measured
int budget_units(const PolicySpec& spec, double decode_ms, const BudgetSteps& steps);

}  // namespace litestage
