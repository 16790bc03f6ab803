#include "offline/paired_cost.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <span>

#include "base/statistics.h"

namespace litestage {

Estimate trimmed_mean(std::vector<double> values) {
  assert(!values.empty());
  constexpr std::size_t PART = 5;  // a fifth at either end
  std::sort(values.begin(), values.end());
  const std::size_t dropped = values.size() / PART;
  const std::size_t left = values.size() - 2 * dropped;
  Estimate estimate;
  estimate.value = mean(std::span(values).subspan(dropped, left));
  if (values.size() < 2) return {estimate.value, std::numeric_limits<double>::infinity()};
  const auto drop = static_cast<std::ptrdiff_t>(dropped);
  std::fill(values.begin(), values.begin() + drop, values[dropped]);
  std::fill(values.end() - drop, values.end(), values[values.size() - 1 - dropped]);
  const auto count = static_cast<double>(values.size());
  estimate.error = standard_deviation(values) * std::sqrt(count) / static_cast<double>(left);
  return estimate;
}

std::optional<PairedCosts> compare_arms(int arms, const std::function<double(int)>& run,
                                        const PairingOptions& options,
                                        const std::function<bool(double)>& progress) {
  assert(arms >= 1);
  const auto count = static_cast<std::size_t>(arms);
  std::vector<double> whole;
  std::vector<std::vector<double>> saved(count - 1);
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(options.seed);
  PairedCosts costs;
  double timed = 0;
  while (costs.rounds < options.min_rounds ||
         (costs.rounds < options.max_rounds && timed < options.max_ms)) {
    std::shuffle(order.begin(), order.end(), random);
    std::vector<double> ms(count);
    for (const int arm : order) {
      if (progress && !progress(timed)) return std::nullopt;
      ms[static_cast<std::size_t>(arm)] = run(arm);
      timed += ms[static_cast<std::size_t>(arm)];
    }
    whole.push_back(ms[0]);
    for (std::size_t arm = 1; arm < count; ++arm)
      saved[arm - 1].push_back(ms[0] - ms[arm]);
    ++costs.rounds;
  }
  costs.whole = trimmed_mean(std::move(whole));
  for (std::vector<double>& differences : saved)
    costs.saved.push_back(trimmed_mean(std::move(differences)));
  return costs;
}

}  // namespace litestage
