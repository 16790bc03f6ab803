// Sublayers by lot, so that it shows what a choice is worth: a control, and nobody's method. The
// lots come from MT19937 (Matsumoto and Nishimura, ACM TOMACS 8, 1998).

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "base/plain_number.h"
#include "skip/policies/policies.h"
#include "skip/policy_budget.h"

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

bool is_seed(std::string_view value) {
  return whole_number(value, UINT32_MAX).has_value();
}

std::unique_ptr<SkipPolicy> make_random(const PolicySpec& spec, const PolicyInputs& inputs) {
  const PolicyStatistics& statistics = *inputs.statistics;
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

}  // namespace

PolicyKind random_policy() {
  return {.name = "random",
          .parameters = with_budget({{"seed", "a whole number below 2^32", is_seed}}),
          .help = {"random:k=N|save=PERCENT[,seed=N]",
                   "sublayers drawn at random, the same for all texts",
                   "drawn by MT19937: Matsumoto and Nishimura, ACM TOMACS 8, 1998"},
          .source = PolicySource::statistics,
          .make = make_random};
}

}  // namespace litestage
