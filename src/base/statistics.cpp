#include "base/statistics.h"

#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

namespace litestage {

double mean(std::span<const double> values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double centre = mean(values);
  double squares = 0;
  for (const double value : values)
    squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double student_t_975(int degrees_of_freedom) {
  assert(degrees_of_freedom >= 1);
  static constexpr std::array TABLE = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365,
                                       2.306,  2.262, 2.228, 2.201, 2.179, 2.160, 2.145};
  if (static_cast<std::size_t>(degrees_of_freedom) <= TABLE.size()) {
    return TABLE[static_cast<std::size_t>(degrees_of_freedom - 1)];
  }
  // Cornish-Fisher expansion about the normal quantile; right to three decimals from here on.
  const double z = 1.959963985;
  const double n = degrees_of_freedom;
  const double z3 = z * z * z;
  const double z5 = z3 * z * z;
  return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n);
}

Ratio paired_ratio(std::span<const double> numerator, std::span<const double> denominator) {
  assert(numerator.size() == denominator.size() && !numerator.empty());
  std::vector<double> logs(numerator.size());
  for (std::size_t i = 0; i < logs.size(); ++i)
    logs[i] = std::log(numerator[i] / denominator[i]);
  const double centre = mean(logs);
  if (logs.size() < 2) {
    return {std::exp(centre), 0, std::numeric_limits<double>::infinity()};
  }
  const auto count = static_cast<double>(logs.size());
  const double half = student_t_975(static_cast<int>(logs.size()) - 1) * standard_deviation(logs) /
                      std::sqrt(count);
  return {std::exp(centre), std::exp(centre - half), std::exp(centre + half)};
}

}  // namespace litestage
