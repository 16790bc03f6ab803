#include "skip/policies.h"
#include "skip/policy_budget.h"

namespace litestage {

std::unique_ptr<SkipPolicy> make_layer_early_exit(const PolicySpec& spec,
                                                  const PolicyStatistics& statistics) {
  const int layers = statistics.layer_count();
  const auto without_last = [layers](int dropped) {
    SublayerMask mask;
    for (int layer = layers - dropped; layer < layers; ++layer)
      skip_layer(mask, layer);
    return mask;
  };
  const int dropped = budget_units(spec, statistics.decode_ms,
                                   {.most = layers - 1, .sublayers = 2, .saved_ms = [&](int units) {
                                      return saved_ms(without_last(units), statistics);
                                    }});
  return std::make_unique<FixedMaskPolicy>(without_last(dropped));
}

}  // namespace litestage
