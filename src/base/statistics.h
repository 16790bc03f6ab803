#pragma once

#include <cstdint>
#include <span>

#include "base/binomial.h"

namespace litestage {

/// Arithmetic mean; 0 for no values.
double mean(std::span<const double> values);

/// Sample standard deviation (divisor n - 1); 0 for fewer than two values.
double standard_deviation(std::span<const double> values);

/// The 97.5 % quantile of Student's t distribution, for two-sided 95 % intervals.
/// @param degrees_of_freedom at least 1
double student_t_975(int degrees_of_freedom);

/// A ratio with its 95 % interval.
struct Ratio {
  double value = 1;
  double low = 0;
  double high = 0;
};

/// The ratio numerator / denominator of measurements taken in pairs: geometric mean of the pairs'
/// ratios, with the t interval of the mean of their logarithms.
///
/// A t interval rather than a bootstrap, because with the handful of pairs that a benchmark affords
/// a percentile bootstrap is known to be too narrow. Pairs, because what disturbs one measurement
/// (other processes, clock changes) disturbs its neighbour too and cancels. With one pair nothing
/// is known about the spread: the interval is [0, infinity].
/// @param numerator, denominator positive, of equal length, at least one
Ratio paired_ratio(std::span<const double> numerator, std::span<const double> denominator);

/// The p-th percentile by linear interpolation between order statistics: definition 7 of Hyndman
/// and Fan (The American Statistician 50, 1996), the default of R and NumPy.
/// @param values in any order, at least one
/// @param p 0..100
double percentile(std::span<const double> values, double p);

/// A 95 % percentile bootstrap interval of the mean (Efron 1979): the values are drawn anew, with
/// replacement. The same seed gives the same interval everywhere. With few values it is too narrow,
/// and with one it has no width.
/// @param values one a question, at least one
Interval bootstrap_mean_95(std::span<const double> values, std::uint32_t seed,
                           int resamples = 2000);

/// Ratio of sums, numerator / denominator, with its 95 % percentile bootstrap interval: pairs are
/// drawn anew, so that what makes both sides of a pair large cancels.
/// @param numerator, denominator one a question, of equal length, at least one; positive
Ratio bootstrap_ratio_95(std::span<const double> numerator, std::span<const double> denominator,
                         std::uint32_t seed, int resamples = 2000);

}  // namespace litestage
