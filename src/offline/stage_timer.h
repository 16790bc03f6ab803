#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/plan.h"

namespace litestage {

/// The work one stage does for a typical question.
struct StageShape {
  std::vector<Token> context;    ///< real tokens: one of the stage's, of median length
  std::vector<Token> text;       ///< what was written behind it; not needed where nothing is
  int fresh = 1;                 ///< of them, read by this stage
  int branches = 1;              ///< texts written at once
  HeadUse head = HeadUse::full;  ///< how its logits are computed
  bool writes = true;            ///< false for a choice read from the logits

  bool operator==(const StageShape&) const = default;
};

/// Milliseconds of the parts of a stage under some settings.
struct StageRates {
  double prefill_ms = 0;    ///< a fresh token
  double step_ms = 0;       ///< a decode step with one branch left
  double full_step_ms = 0;  ///< a decode step with all branches
  /// Relative standard error of each of them, from the repetitions.
  double prefill_error = 0;
  double step_error = 0;
  double full_step_error = 0;

  /// A step with some branches left, by straight line between the two that were measured.
  double step_with(int branches_left, int branches) const;
};

struct StageTimerOptions {
  int rounds = 5;
  int steps = 8;  ///< decode steps a measurement
};

/// Times a stage's work under settings and with nothing left out, in turns: the same tokens, the
/// order of the two reversed every other round. The settings' rates are those of `base` (the full
/// model's, measured once) times the median of the rounds' ratios, so that what slows the
/// machine for a while does not count for or against anyone.
/// @param base nothing: the full model itself is measured, and `settings` plays no part
/// @return nothing when asked to stop
/// @throws UserError when the context does not fit
std::optional<StageRates> time_stage(Decoder& decoder, const StageShape& shape,
                                     const StageSettings& settings,
                                     const std::optional<StageRates>& base,
                                     const StageTimerOptions& options = {},
                                     const std::atomic<bool>* stop = nullptr);

}  // namespace litestage
