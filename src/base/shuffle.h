#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace litestage {

/// Puts values in a random order, the same for a seed on every platform (std::shuffle's differs
/// between libraries).
template <typename T>
void shuffle(std::vector<T>& values, std::uint32_t seed) {
  std::mt19937 random(seed);
  for (std::size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[random() % i]);
}

}  // namespace litestage
