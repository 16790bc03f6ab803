#pragma once

#include <span>
#include <vector>

namespace litestage {

/// A range of values laid out along one side of a chart.
struct ChartAxis {
  double low = 0;    ///< value at `begin`
  double high = 1;   ///< value at `end`, above low
  double begin = 0;  ///< in the units of the picture
  double end = 1;    ///< below `begin` for an axis that goes up the page

  /// Where a value lies in the picture.
  double at(double value) const { return begin + (end - begin) * (value - low) / (high - low); }
  /// Round numbers within the range, at least three unless the range is tiny: multiples of 1, 2 or
  /// 5 times a power of ten.
  std::vector<double> ticks() const;
};

/// An axis with some air around all of the values.
/// @param values at least one
ChartAxis axis_around(std::span<const double> values, double begin, double end);

}  // namespace litestage
