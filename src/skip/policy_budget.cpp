#include "skip/policy_budget.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/plain_number.h"
#include "litestage/error.h"

namespace litestage {
namespace {

constexpr double PER_CENT = 100;

bool is_sublayer_count(std::string_view value) {
  return whole_number(value, 2 * MAX_LAYERS).value_or(0) > 0;
}

bool is_share(std::string_view value) {
  const double share = decimal_number(value).value_or(0);
  return share > 0 && share < PER_CENT;
}

int units_for_sublayers(const PolicySpec& spec, const BudgetSteps& steps) {
  const auto asked = static_cast<int>(*whole_number(parameter(spec, "k"), 2 * MAX_LAYERS));
  const int units = (asked + steps.sublayers - 1) / steps.sublayers;
  if (units <= steps.most) return units;
  throw UserError(where_of(spec),
                  fmt::format("it can leave out {} sublayers of this model, not {}",
                              steps.most * steps.sublayers, asked),
                  "use a smaller k");
}

int units_for_share(const PolicySpec& spec, double decode_ms, const BudgetSteps& steps) {
  if (!(decode_ms > 0)) {
    throw UserError(where_of(spec), "the profile holds no milliseconds of a written token",
                    "use k=N, or a profile that was timed");
  }
  const double share = *decimal_number(parameter(spec, "save"));
  const double wanted = share / PER_CENT * decode_ms;
  double largest = 0;
  for (int units = 1; units <= steps.most; ++units) {
    const double saved = steps.saved_ms(units);
    if (saved >= wanted) return units;
    largest = std::max(largest, saved);
  }
  throw UserError(where_of(spec),
                  fmt::format("it can save {:.1f} % of this model's time for a written token, "
                              "not {} %",
                              PER_CENT * largest / decode_ms, share),
                  "use a smaller save");
}

}  // namespace

std::vector<PolicyParameter> with_budget(const std::vector<PolicyParameter>& more) {
  std::vector<PolicyParameter> all = {{"k", "a number of sublayers from 1", is_sublayer_count},
                                      {"save", "a percentage between 0 and 100", is_share}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

double saved_ms(const SublayerMask& mask, const PolicyStatistics& statistics) {
  double sum = 0;
  for (int layer = 0; layer < statistics.layer_count(); ++layer) {
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
      if (mask.skips(sublayer, layer)) sum += statistics.of(sublayer, layer).decode_ms;
    }
  }
  return sum;
}

int budget_units(const PolicySpec& spec, double decode_ms, const BudgetSteps& steps) {
  return parameter(spec, "k").empty() ? units_for_share(spec, decode_ms, steps)
                                      : units_for_sublayers(spec, steps);
}

}  // namespace litestage
