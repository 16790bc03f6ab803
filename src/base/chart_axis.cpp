#include "base/chart_axis.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace litestage {
namespace {

/// The largest round step of which three fit into a range.
double round_step(double range) {
  const double most = range / 3;
  const double power = std::pow(10, std::floor(std::log10(most)));
  for (const double factor : {5.0, 2.0}) {
    if (factor * power <= most) return factor * power;
  }
  return power;
}

}  // namespace

std::vector<double> ChartAxis::ticks() const {
  const double step = round_step(high - low);
  std::vector<double> ticks;
  for (long i = std::lround(std::ceil(low / step)); static_cast<double>(i) * step <= high; ++i)
    ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

ChartAxis axis_around(std::span<const double> values, double begin, double end) {
  assert(!values.empty());
  const auto [low, high] = std::ranges::minmax(values);
  const double air = std::max({0.08 * (high - low), 0.01 * std::abs(high), 1e-6});
  return {low - air, high + air, begin, end};
}

}  // namespace litestage
