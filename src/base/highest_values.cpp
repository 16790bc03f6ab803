#include "base/highest_values.h"

#include <algorithm>
#include <cassert>
#include <functional>

#include "base/softmax.h"

namespace litestage {

void HighestValues::find(std::span<const float> values, int count) {
  assert(!values.empty() && count >= 1);
  maxima_.clear();
  for (std::size_t begin = 0; begin < values.size(); begin += BLOCK)
    maxima_.push_back(largest_of(values.subspan(begin, std::min(BLOCK, values.size() - begin))));

  sorted_.assign(maxima_.begin(), maxima_.end());
  const std::size_t blocks = std::min(static_cast<std::size_t>(count), sorted_.size());
  const auto last = sorted_.begin() + static_cast<std::ptrdiff_t>(blocks) - 1;
  std::nth_element(sorted_.begin(), last, sorted_.end(), std::greater<>());
  threshold_ = *last;

  indices_.clear();
  indices_.reserve(blocks * BLOCK);  // so that it seldom grows, whatever values come
  for (std::size_t block = 0; block < maxima_.size(); ++block) {
    if (maxima_[block] < threshold_) continue;
    const std::size_t end = std::min(values.size(), (block + 1) * BLOCK);
    for (std::size_t i = block * BLOCK; i < end; ++i) {
      if (values[i] >= threshold_) indices_.push_back(static_cast<int>(i));
    }
  }
}

}  // namespace litestage
