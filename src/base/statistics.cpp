#include "base/statistics.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace litestage {
namespace {

/// Draws indices below a count, the same ones for a seed on every platform (which the standard
/// library's distributions do not promise).
class IndexDraw {
 public:
  IndexDraw(std::size_t count, std::uint32_t seed) : count_(count), random_(seed) {}

  std::size_t operator()() {
    constexpr int WORD_BITS = 32;
    return static_cast<std::size_t>((std::uint64_t{random_()} * count_) >> WORD_BITS);
  }

 private:
  std::uint64_t count_;
  std::mt19937 random_;
};

Interval middle_95(std::span<const double> values) {
  return {percentile(values, 2.5), percentile(values, 97.5)};
}

}  // namespace

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

double percentile(std::span<const double> values, double p) {
  assert(!values.empty() && p >= 0 && p <= 100);
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double place = static_cast<double>(sorted.size() - 1) * p / 100;
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Interval bootstrap_mean_95(std::span<const double> values, std::uint32_t seed, int resamples) {
  assert(!values.empty() && resamples > 0);
  IndexDraw draw(values.size(), seed);
  std::vector<double> means;
  for (int resample = 0; resample < resamples; ++resample) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
      sum += values[draw()];
    means.push_back(sum / static_cast<double>(values.size()));
  }
  return middle_95(means);
}

Ratio bootstrap_ratio_95(std::span<const double> numerator, std::span<const double> denominator,
                         std::uint32_t seed, int resamples) {
  assert(numerator.size() == denominator.size() && !numerator.empty() && resamples > 0);
  IndexDraw draw(numerator.size(), seed);
  std::vector<double> ratios;
  for (int resample = 0; resample < resamples; ++resample) {
    double above = 0;
    double below = 0;
    for (std::size_t i = 0; i < numerator.size(); ++i) {
      const std::size_t pair = draw();
      above += numerator[pair];
      below += denominator[pair];
    }
    ratios.push_back(above / below);
  }
  const Interval interval = middle_95(ratios);
  const double value = std::accumulate(numerator.begin(), numerator.end(), 0.0) /
                       std::accumulate(denominator.begin(), denominator.end(), 0.0);
  return {value, interval.low, interval.high};
}

}  // namespace litestage
