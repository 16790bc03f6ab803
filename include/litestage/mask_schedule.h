#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "litestage/decoder.h"
#include "litestage/sublayer_mask.h"

namespace litestage {

/// What is left out while a text is written, where that changes from token to token (AdaSkip,
/// SkipDecode). One schedule serves one call of a stage: all its branches, which share each step.
class MaskSchedule {
 public:
  virtual ~MaskSchedule() = default;

  /// The mask of the next step. Attention that was left out stays left out: a later token would
  /// look for KV that is not there.
  /// @param written tokens that each branch has so far, at least 1
  virtual SublayerMask next(int written) = 0;

  /// What the next step has to record for `observe`; empty: nothing.
  virtual std::span<const Tap> taps() const { return {}; }
  /// Told of every step after it was computed; rows are the branches that go on.
  virtual void observe(const ForwardResult& /*step*/) {}
};

/// Makes a schedule for a stage that is about to be written, or none where its mask stays as the
/// stage's settings have it.
/// @param stage its name
/// @param max_tokens the longest a text of it may get
using MaskScheduleFactory =
    std::function<std::unique_ptr<MaskSchedule>(std::string_view stage, int max_tokens)>;

}  // namespace litestage
