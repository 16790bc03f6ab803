#pragma once

#include <functional>
#include <optional>
#include <vector>

namespace litestage {

/// A sublayer that may be left out.
struct GrowthItem {
  double saved_ms = 0;      ///< of a question, when it is left out; others are never taken
  double alone_damage = 0;  ///< nats a token
};

struct GrowthLimits {
  double most_damage = 0;    ///< nats a token
  double most_saved_ms = 0;  ///< growth ends when this much is saved
  int steps = 16;            ///< most; each saves `most_saved_ms / steps` or more where it can
  int remeasured = 4;        ///< items measured anew in a step, at most
};

/// What is left out after a step.
struct GrowthLink {
  std::vector<int> items;  ///< indices, in the order they were taken
  double saved_ms = 0;
  double damage = 0;
};

/// The damage with some items left out, nats a token; nothing when the user asked to stop.
using MeasureItems = std::function<std::optional<double>(const std::vector<int>& items)>;

/// Told of each new link; returning false ends the growth there.
using GoesOn = std::function<bool(const GrowthLink&)>;

/// Leaves out more and more items, each step those of least damage for each millisecond saved.
///
/// Damages do not add up, so a step measures the best items anew, together with all that is left
/// out already, in the order of what they added when they were last measured (alone, at first).
/// It stops doing so when the best one so far beats the next one's old figure, as damages rather
/// grow as more is left out. Small items (attention) are taken several in a step, and measured once
/// together. Measures at most `steps * (remeasured + 1)` times.
/// @return the links, growing; nothing when measuring stopped
std::optional<std::vector<GrowthLink>> grow(const std::vector<GrowthItem>& items,
                                            const GrowthLimits& limits, const MeasureItems& measure,
                                            const GoesOn& goes_on = {});

}  // namespace litestage
