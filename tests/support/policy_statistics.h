#pragma once

#include <span>

#include "skip/skip_policy.h"

namespace litestage::test {

/// Planted calibration: an attention takes 1 ms of a written token and an FFN 3 ms, the rest 2 ms;
/// all cosines are 0.5 and norm ratios 1 unless set.
inline PolicyStatistics planted_statistics(int layers) {
  PolicyStatistics statistics;
  for (int layer = 0; layer < layers; ++layer) {
    SublayerStatistics attention{.cosine = 0.5, .norm_ratio = 1, .decode_ms = 1};
    SublayerStatistics ffn{.cosine = 0.5, .norm_ratio = 1, .decode_ms = 3};
    statistics.layers.push_back({attention, ffn});
  }
  statistics.decode_ms = 2 + 4 * layers;
  return statistics;
}

/// A policy with a budget.
inline std::unique_ptr<SkipPolicy> made_policy(std::string_view text,
                                               const PolicyStatistics& statistics) {
  return make_skip_policy(parse_policy(text), {.statistics = &statistics});
}

}  // namespace litestage::test
