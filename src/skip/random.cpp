#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "base/plain_number.h"
#include "skip/policies.h"
#include "skip/policy_budget.h"
#include "skip/policy_kind.h"

namespace litestage {
namespace {

/// Both sublayers of all layers in an order that the seed decides, the same on every machine:
/// std::shuffle and the standard distributions may differ from library to library.
std::vector<std::size_t> shuffled_sublayers(int layers, std::uint32_t seed) {
  std::vector<std::size_t> order(2 * static_cast<std::size_t>(layers));
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < order.size(); ++i) {
    // Of a power of two this even share is exact; else it is off by less than 2^-22.
    const auto place = static_cast<std::size_t>(random() % (i + 1));
    order[i] = order[place];
    order[place] = i;
  }
  return order;
}

}  // namespace

std::unique_ptr<SkipPolicy> make_random(const PolicySpec& spec,
                                        const PolicyStatistics& statistics) {
  const std::string_view given = parameter(spec, "seed");
  const std::uint32_t seed = given.empty() ? 0 : *whole_number(given, UINT32_MAX);
  const std::vector<std::size_t> order = shuffled_sublayers(statistics.layer_count(), seed);
  const auto first_of_order = [&order](int count) {
    SublayerMask mask;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const Sublayer sublayer = order[i] % 2 == 0 ? Sublayer::attention : Sublayer::ffn;
      mask.skip(sublayer, static_cast<int>(order[i] / 2));
    }
    return mask;
  };
  const int skipped = budget_units(
      spec, statistics.decode_ms,
      {.most = 2 * statistics.layer_count() - 1,
       .saved_ms = [&](int units) { return saved_ms(first_of_order(units), statistics); }});
  return std::make_unique<FixedMaskPolicy>(first_of_order(skipped));
}

}  // namespace litestage
