// Every token leaves at the same layer, and the head reads what that one gives: the early exit of
// LayerSkip (Elhoushi and others, ACL 2024, arXiv 2404.16710), which trains for it. As a way of
// making a model smaller it is the top-layer dropping of Sajjad and others (arXiv 2004.03844).

#include "skip/policies/policies.h"
#include "skip/policy_budget.h"

namespace litestage {
namespace {

std::unique_ptr<SkipPolicy> make_layer_early_exit(const PolicySpec& spec,
                                                  const PolicyInputs& inputs) {
  const PolicyStatistics& statistics = *inputs.statistics;
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

}  // namespace

PolicyKind layer_early_exit_policy() {
  return {.name = "layer-early-exit",
          .parameters = with_budget(),
          .help = {"layer-early-exit:k=N|save=PERCENT", "the last layers",
                   "the fixed exit of Elhoushi et al., LayerSkip, ACL 2024, arXiv 2404.16710"},
          .source = PolicySource::statistics,
          .make = make_layer_early_exit};
}

}  // namespace litestage
