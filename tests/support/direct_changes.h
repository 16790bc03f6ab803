#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "litestage/decoder.h"

namespace litestage::test {

/// What a sublayer does to a row, or to rows on average, computed directly and in double.
struct DirectChange {
  double cosine = 0;
  double norm_ratio = 0;
};

DirectChange direct_change(std::span<const float> in, std::span<const float> out);

/// Means over tokens [begin, end) of one run of all tokens, from its taps: [layer][Sublayer].
std::vector<std::array<DirectChange, 2>> direct_means(Decoder& decoder,
                                                      const std::vector<Token>& tokens,
                                                      std::size_t begin, std::size_t end);

}  // namespace litestage::test
