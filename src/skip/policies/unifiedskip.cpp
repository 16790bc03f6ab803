// Unified Layer Skipping (Liu, Meng and Zhou, arXiv 2404.06954): how many layers run follows from
// the budget alone, and they lie at even distances from the first to the last.

#include <algorithm>

#include "skip/policies/policies.h"
#include "skip/policy_budget.h"

namespace litestage {
namespace {

/// @param kept at least 2: the first and the last layer among them
SublayerMask keep_evenly(int layers, int kept) {
  SublayerMask mask;
  for (int layer = 0; layer < layers; ++layer)
    skip_layer(mask, layer);
  const int gaps = kept - 1;
  for (int i = 0; i < kept; ++i) {
    const int layer = (2 * i * (layers - 1) + gaps) / (2 * gaps);  // i (layers - 1) / gaps, rounded
    mask.keep(Sublayer::attention, layer);
    mask.keep(Sublayer::ffn, layer);
  }
  return mask;
}

std::unique_ptr<SkipPolicy> make_unifiedskip(const PolicySpec& spec, const PolicyInputs& inputs) {
  const PolicyStatistics& statistics = *inputs.statistics;
  const int layers = statistics.layer_count();
  const int skipped =
      budget_units(spec, statistics.decode_ms,
                   {.most = std::max(0, layers - 2), .sublayers = 2, .saved_ms = [&](int units) {
                      return saved_ms(keep_evenly(layers, layers - units), statistics);
                    }});
  return std::make_unique<FixedMaskPolicy>(keep_evenly(layers, layers - skipped));
}

}  // namespace

PolicyKind unifiedskip_policy() {
  return {.name = "unifiedskip",
          .parameters = with_budget(),
          .help = {"unifiedskip:k=N|save=PERCENT", "whole layers at even distances",
                   "Liu, Meng and Zhou, Unified Layer Skipping, 2024, arXiv 2404.06954"},
          .source = PolicySource::statistics,
          .make = make_unifiedskip};
}

}  // namespace litestage
