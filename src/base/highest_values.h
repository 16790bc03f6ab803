#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace litestage {

/// Finds the highest of many values, such as logits over a vocabulary. Its memory is used again.
class HighestValues {
 public:
  /// Neighbours that are compared together.
  static constexpr std::size_t BLOCK = 16;

  /// Sets a threshold that at least `count` of the values reach, or one for each block where there
  /// are fewer blocks than that, and finds all that reach it. Blocks are compared by their highest
  /// value first, so that one pass does.
  /// @param values at least one
  /// @param count at least 1
  void find(std::span<const float> values, int count);

  /// Of the values that are at least the threshold, ascending.
  std::span<const int> indices() const { return indices_; }
  float threshold() const { return threshold_; }

 private:
  std::vector<float> maxima_;  // of blocks
  std::vector<float> sorted_;  // the same, as far as need be
  std::vector<int> indices_;
  float threshold_ = 0;
};

}  // namespace litestage
