// Comparing ways of doing the same work: planted times with noise, drift and disturbances.
#include "offline/paired_cost.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <vector>

namespace litestage::test {
namespace {

TEST(TrimmedMean, LeavesOutAFifthAtEitherEnd) {
  const Estimate estimate = trimmed_mean({5, 1, 1000, 2, -900, 3, 4, 6, 7, 8});
  // -900, 1 and 8, 1000 go.
  EXPECT_DOUBLE_EQ(estimate.value, (2 + 3 + 4 + 5 + 6 + 7) / 6.0);
  // Winsorised: 2 2 2 3 4 5 6 7 7 7, mean 4.5, sum of squares about it 42.5 over 9.
  EXPECT_NEAR(estimate.error, std::sqrt(42.5 / 9) * std::sqrt(10) / 6, 1e-12);
}

TEST(TrimmedMean, OfFewValuesIsTheMean) {
  const Estimate estimate = trimmed_mean({1, 2, 6});
  EXPECT_DOUBLE_EQ(estimate.value, 3);
  EXPECT_NEAR(estimate.error, std::sqrt(7.0) / std::sqrt(3.0), 1e-12);
  EXPECT_TRUE(std::isinf(trimmed_mean({4}).error));
}

// Arm 2 costs 3 % less: far below the noise of one run and the drift, found by pairs.
TEST(CompareArms, FindsPlantedDifferencesUnderNoiseDriftAndDisturbances) {
  std::mt19937 random(3);
  std::normal_distribution<double> noise(0, 1);
  std::uniform_int_distribution<int> dice(0, 19);
  const std::vector<double> planted = {100, 100, 97, 60};
  double clock = 1;
  const auto run = [&](int arm) {
    clock *= 1.001;  // the machine gets slower and slower
    const double disturbance = dice(random) == 0 ? 80 : 0;
    return planted[static_cast<std::size_t>(arm)] * clock + noise(random) + disturbance;
  };
  const auto costs = compare_arms(4, run, {.max_rounds = 60, .max_ms = 1e9, .seed = 9});
  ASSERT_TRUE(costs);
  EXPECT_EQ(costs->rounds, 60);
  ASSERT_EQ(costs->saved.size(), 3U);
  const double scale = costs->whole.value / 100;  // mean slowness
  EXPECT_GT(scale, 1.05);
  EXPECT_NEAR(costs->saved[0].value, 0, 4 * costs->saved[0].error);
  EXPECT_NEAR(costs->saved[1].value, 3 * scale, 4 * costs->saved[1].error);
  EXPECT_NEAR(costs->saved[2].value, 40 * scale, 4 * costs->saved[2].error);
  EXPECT_LT(costs->saved[1].error, 0.7);
  EXPECT_GT(costs->saved[1].value, 1);
}

TEST(CompareArms, RunsEveryArmOnceARoundInChangingOrder) {
  std::vector<int> calls;
  const auto costs = compare_arms(3,
                                  [&](int arm) {
                                    calls.push_back(arm);
                                    return 1.0;
                                  },
                                  {.min_rounds = 12, .max_rounds = 12, .max_ms = 1e9});
  ASSERT_TRUE(costs);
  ASSERT_EQ(calls.size(), 36U);
  std::set<std::vector<int>> orders;
  for (std::size_t round = 0; round < 12; ++round) {
    const std::vector<int> order(calls.begin() + static_cast<std::ptrdiff_t>(3 * round),
                                 calls.begin() + static_cast<std::ptrdiff_t>(3 * round + 3));
    EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), 3U);
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 2U);
}

TEST(CompareArms, EndsWhenTimeIsUsedUpButNotBeforeTheFewestRounds) {
  const auto slow = [](int) { return 1000.0; };
  EXPECT_EQ(compare_arms(2, slow, {.min_rounds = 3, .max_ms = 10})->rounds, 3);
  EXPECT_EQ(compare_arms(2, slow, {.min_rounds = 3, .max_ms = 10'000})->rounds, 5);
  EXPECT_EQ(compare_arms(2, slow, {.max_rounds = 7, .max_ms = 1e9})->rounds, 7);
}

TEST(CompareArms, StopsBetweenRuns) {
  int runs = 0;
  EXPECT_FALSE(compare_arms(
      2,
      [&](int) {
        ++runs;
        return 10.0;
      },
      {}, [](double ms) { return ms < 50; }));
  EXPECT_EQ(runs, 5);
}

}  // namespace
}  // namespace litestage::test
