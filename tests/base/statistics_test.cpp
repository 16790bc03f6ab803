#include "base/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
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

}  // namespace
}  // namespace litestage
