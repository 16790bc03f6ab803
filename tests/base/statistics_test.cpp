#include "base/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace litestage {
namespace {

TEST(Statistics, MeanAndStandardDeviationOfAWorkedExample) {
  const std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};
  EXPECT_DOUBLE_EQ(mean(values), 5.0);
  // Squares of the differences add up to 32; 32 / 7.
  EXPECT_DOUBLE_EQ(standard_deviation(values), std::sqrt(32.0 / 7.0));
}

TEST(Statistics, FewValuesHaveNoSpread) {
  EXPECT_EQ(mean({}), 0.0);
  EXPECT_EQ(standard_deviation({}), 0.0);
  EXPECT_EQ(standard_deviation(std::vector<double>{3.5}), 0.0);
}

TEST(Statistics, StudentQuantilesAgreeWithPrintedTables) {
  EXPECT_NEAR(student_t_975(1), 12.706, 5e-4);
  EXPECT_NEAR(student_t_975(4), 2.776, 5e-4);
  EXPECT_NEAR(student_t_975(15), 2.131, 1e-3);
  EXPECT_NEAR(student_t_975(30), 2.042, 1e-3);
  EXPECT_NEAR(student_t_975(60), 2.000, 1e-3);
  EXPECT_NEAR(student_t_975(1000), 1.962, 1e-3);
  for (int freedom = 1; freedom < 200; ++freedom) {
    EXPECT_GT(student_t_975(freedom), student_t_975(freedom + 1)) << freedom;
  }
}

TEST(Statistics, EqualPairsHaveARatioOfOneAndNoWidth) {
  const std::vector<double> values = {3, 8, 2};
  const Ratio ratio = paired_ratio(values, values);
  EXPECT_DOUBLE_EQ(ratio.value, 1);
  EXPECT_DOUBLE_EQ(ratio.low, 1);
  EXPECT_DOUBLE_EQ(ratio.high, 1);
}

TEST(Statistics, PairedRatioOfAWorkedExample) {
  // The logarithms of the ratios are 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, t(2) = 4.303.
  const std::vector<double> below = {10, 20, 40};
  const std::vector<double> above = {10 * std::exp(0.1), 20 * std::exp(0.2), 40 * std::exp(0.3)};
  const Ratio ratio = paired_ratio(above, below);
  const double half = 4.303 * 0.1 / std::sqrt(3.0);
  EXPECT_NEAR(ratio.value, std::exp(0.2), 1e-9);
  EXPECT_NEAR(ratio.low, std::exp(0.2 - half), 1e-9);
  EXPECT_NEAR(ratio.high, std::exp(0.2 + half), 1e-9);
}

TEST(Statistics, WhatDisturbsBothOfAPairCancels) {
  const std::vector<double> below = {1, 100, 5};
  const std::vector<double> above = {1.25, 125, 6.25};
  const Ratio ratio = paired_ratio(above, below);
  EXPECT_NEAR(ratio.value, 1.25, 1e-12);
  EXPECT_NEAR(ratio.high - ratio.low, 0, 1e-9);
}

TEST(Statistics, OnePairSaysNothingAboutTheInterval) {
  const Ratio ratio = paired_ratio(std::vector<double>{3}, std::vector<double>{2});
  EXPECT_DOUBLE_EQ(ratio.value, 1.5);
  EXPECT_EQ(ratio.low, 0);
  EXPECT_TRUE(std::isinf(ratio.high));
}

TEST(Percentile, AgreesWithPublishedExamples) {
  // "Percentile", Wikipedia, second variant: the 40th percentile of this list is 29.
  EXPECT_DOUBLE_EQ(percentile(std::vector<double>{15, 20, 35, 40, 50}, 40), 29);
  // R's quantile(1:10, 0.25, type = 7) is 3.25: place 9 / 4 behind the first.
  EXPECT_DOUBLE_EQ(percentile(std::vector<double>{10, 3, 8, 1, 5, 6, 7, 4, 9, 2}, 25), 3.25);
}

TEST(Percentile, EndsAndMiddle) {
  const std::vector<double> values = {4, 1, 3};
  EXPECT_EQ(percentile(values, 0), 1);
  EXPECT_EQ(percentile(values, 50), 3);
  EXPECT_EQ(percentile(values, 100), 4);
  EXPECT_EQ(percentile(std::vector<double>{7}, 90), 7);
}

TEST(Bootstrap, OneSeedIsOneInterval) {
  const std::vector<double> values = {3, 9, 4, 8, 2, 7};
  EXPECT_EQ(bootstrap_mean_95(values, 5).low, bootstrap_mean_95(values, 5).low);
  EXPECT_NE(bootstrap_mean_95(values, 5, 200).low, bootstrap_mean_95(values, 6, 200).low);
  const Interval interval = bootstrap_mean_95(values, 5);
  EXPECT_LT(interval.low, mean(values));
  EXPECT_GT(interval.high, mean(values));
}

TEST(Bootstrap, EqualValuesHaveNoWidth) {
  const Interval interval = bootstrap_mean_95(std::vector<double>{2, 2, 2}, 1);
  EXPECT_EQ(interval.low, 2);
  EXPECT_EQ(interval.high, 2);
}

// Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 2: the mouse data, treated
// group. The ideal bootstrap's standard error of its mean 86.86 is 23.36, to which a normal
// interval of +- 1.96 errors belongs; the percentile interval must be near it.
TEST(Bootstrap, AgreesWithThePublishedMouseData) {
  const std::vector<double> treated = {94, 197, 16, 38, 99, 141, 23};
  const Interval interval = bootstrap_mean_95(treated, 1, 20000);
  EXPECT_NEAR(interval.high - interval.low, 2 * 1.96 * 23.36, 4);
}

TEST(Bootstrap, RatioOfSums) {
  const std::vector<double> above = {10, 30};
  const std::vector<double> below = {5, 10};
  // Four resamples: (10 + 10) / (5 + 5) = 2, twice 40 / 15, and 60 / 20 = 3.
  const Ratio ratio = bootstrap_ratio_95(above, below, 3);
  EXPECT_DOUBLE_EQ(ratio.value, 40.0 / 15);
  EXPECT_DOUBLE_EQ(ratio.low, 2);
  EXPECT_DOUBLE_EQ(ratio.high, 3);
}

TEST(Bootstrap, WhatIsProportionalHasARatioWithoutWidth) {
  const Ratio ratio =
      bootstrap_ratio_95(std::vector<double>{2, 20, 200}, std::vector<double>{1, 10, 100}, 9);
  EXPECT_NEAR(ratio.low, 2, 1e-12);
  EXPECT_NEAR(ratio.high, 2, 1e-12);
}

/// Times as questions have them: most are near 1 s, some much longer.
std::vector<double> skewed_times(std::mt19937& random, std::size_t count) {
  std::vector<double> times;
  for (std::size_t i = 0; i < count; ++i) {
    double sum = 0;  // of 12 uniform numbers: nearly normal, with deviation 1
    for (int part = 0; part < 12; ++part)
      sum += static_cast<double>(random()) / 4294967296.0;
    times.push_back(1000 * std::exp(0.5 * (sum - 6)));
  }
  return times;
}

// An interval of 95 % holds the truth about that often. The bootstrap's own fault, that it is a
// little narrow with few and skewed values, is known and bounded here.
TEST(Bootstrap, IntervalsHoldTheTruthAsOftenAsTheySay) {
  std::mt19937 random(11);
  const double truth = mean(skewed_times(random, 2'000'000));
  constexpr int RUNS = 1000;
  int mean_held = 0;
  int ratio_held = 0;
  for (std::uint32_t run = 0; run < RUNS; ++run) {
    const std::vector<double> full = skewed_times(random, 60);
    const Interval interval = bootstrap_mean_95(full, run, 400);
    mean_held += interval.low <= truth && truth <= interval.high ? 1 : 0;
    std::vector<double> arm = skewed_times(random, 60);  // a question's own length, twice as fast
    for (std::size_t i = 0; i < arm.size(); ++i)
      arm[i] = (arm[i] + full[i]) / 4;
    const Ratio ratio = bootstrap_ratio_95(full, arm, run, 400);
    ratio_held += ratio.low <= 2 && 2 <= ratio.high ? 1 : 0;
  }
  EXPECT_GE(mean_held, 905);
  EXPECT_LE(mean_held, 970);
  EXPECT_GE(ratio_held, 915);
  EXPECT_LE(ratio_held, 975);
}

// Independent pairs, as spread as those above, whose true ratio is 1: logarithms are nearly normal,
// so that the t interval holds it in 95 of 100 benchmarks, however few pairs there are.
TEST(Statistics, PairedRatiosHoldTheTruthAsOftenAsTheySay) {
  std::mt19937 random(12);
  constexpr int RUNS = 2000;
  constexpr double THREE_ERRORS = 0.0147;  // of a share of 0.95 of so many
  for (const std::size_t pairs : {3U, 5U, 10U}) {
    int held = 0;
    for (int run = 0; run < RUNS; ++run) {
      const std::vector<double> numerator = skewed_times(random, pairs);
      const Ratio ratio = paired_ratio(numerator, skewed_times(random, pairs));
      held += ratio.low <= 1 && 1 <= ratio.high ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(held) / RUNS, 0.95, THREE_ERRORS) << pairs;
  }
}

}  // namespace
}  // namespace litestage
