#pragma once

#include "report/report_data.h"

namespace litestage {

/// Where an arm's time goes compared with the full model's on the questions that both have timed:
/// shares of the full model's time, positive where time is saved. The four add up to `saved()`; the
/// speedup is 1 / (1 - saved()).
struct TimeSources {
  double reading = 0;    ///< prefill
  double per_token = 0;  ///< a written token takes less
  double length = 0;     ///< fewer tokens are written
  double other = 0;      ///< neither reading nor writing

  double saved() const { return reading + per_token + length + other; }
};

/// Writing takes tokens times milliseconds a token; what each of the two saves depends on which
/// changes first, so either is the mean over both orders (Shapley's value of a product of two),
/// which leaves nothing over. Where one of the arms writes nothing, all of it is length.
///
/// Shares of a sum rather than the factors of Comparison, because a part that is read in half the
/// time but takes 2 % of the question has a factor of 2 and saves next to nothing.
/// @return all zero when they have no such question in common
TimeSources time_sources(const ReportArm& full, const ReportArm& arm);

}  // namespace litestage
