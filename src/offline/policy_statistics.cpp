#include "offline/policy_statistics.h"

#include <cmath>

#include <fmt/format.h>

#include "litestage/error.h"
#include "offline/accumulated_change.h"

namespace litestage {
namespace {

/// A mean of stages' figures; 0 where no stage has weight.
class WeightedMean {
 public:
  void add(double value, double weight) {
    if (weight <= 0) return;
    sum_ += value * weight;
    weight_ += weight;
  }
  double value() const { return weight_ > 0 ? sum_ / weight_ : 0; }

 private:
  double sum_ = 0;
  double weight_ = 0;
};

SublayerStatistics statistics_of(const Importance& importance, Sublayer sublayer, int layer) {
  WeightedMean decode_ms;
  for (const StageImportance& stage : importance.stages)
    decode_ms.add(stage.of(sublayer, layer).decode.ms, stage.written_tokens);
  const MeanChange reading = accumulated_change(importance, sublayer, layer);
  return {reading.cosine, reading.norm_ratio, decode_ms.value()};
}

}  // namespace

PolicyStatistics policy_statistics(const Importance& importance, const std::string& where) {
  PolicyStatistics statistics;
  for (int layer = 0; layer < importance.layer_count(); ++layer) {
    auto& pair = statistics.layers.emplace_back();
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
      const SublayerStatistics one = statistics_of(importance, sublayer, layer);
      if (!std::isfinite(one.cosine) || !std::isfinite(one.norm_ratio)) {
        throw UserError(where,
                        fmt::format("the cosine of a sublayer of layer {} was not measured", layer),
                        "measure anew with 'litestage profile'");
      }
      pair[static_cast<std::size_t>(sublayer)] = one;
    }
  }
  WeightedMean decode_ms;
  for (const StageImportance& stage : importance.stages)
    decode_ms.add(stage.decode_ms, stage.written_tokens);
  statistics.decode_ms = decode_ms.value();
  return statistics;
}

}  // namespace litestage
