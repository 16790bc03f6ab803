#include "eval/paired_accuracy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/binomial.h"

namespace litestage {
namespace {

TEST(PairedCounts, LossIsInPoints) {
  EXPECT_DOUBLE_EQ((PairedCounts{200, 7, 3}.loss()), 2);
  EXPECT_DOUBLE_EQ((PairedCounts{200, 3, 7}.loss()), -2);
  EXPECT_EQ(PairedCounts{}.loss(), 0);
}

// Of n differences of 1, 0 and -1: their standard deviation over the root of n.
TEST(PairedCounts, HasTheStandardErrorOfAMean) {
  EXPECT_EQ((PairedCounts{0, 0, 0}).loss_error(), 0);
  EXPECT_EQ((PairedCounts{50, 0, 0}).loss_error(), 0);
  EXPECT_NEAR((PairedCounts{100, 5, 5}).loss_error(), 100 * std::sqrt(0.1) / 10, 1e-12);
  EXPECT_NEAR((PairedCounts{4, 4, 0}).loss_error(), 0, 1e-12);
  EXPECT_NEAR((PairedCounts{4, 2, 0}).loss_error(), 100 * 0.5 / 2, 1e-12);
}

TEST(PairedCounts, ALossAtTheLimitIsWithinIt) {
  for (int questions = 1; questions <= 300; ++questions) {
    for (int lost = 0; lost <= questions; ++lost) {
      const double limit = 100.0 * lost / questions;
      EXPECT_TRUE((PairedCounts{questions, lost, 0}.within(limit)));
      EXPECT_FALSE((PairedCounts{questions, lost + 1, 0}.within(limit)));
    }
  }
}

/// The chance that the bound lies at or above the true loss: exact, by going through every pair of
/// counts.
double coverage(int questions, double level, double lost_chance, double gained_chance,
                const std::vector<std::vector<double>>& bounds) {
  const Binomial binomial(questions);
  const double truth = 100 * (lost_chance - gained_chance);
  double covered = 0;
  for (int gained = 0; gained <= questions; ++gained) {
    const double of_gained = binomial.exactly(gained, questions, gained_chance);
    for (int lost = 0; lost + gained <= questions; ++lost) {
      const double bound = bounds[static_cast<std::size_t>(gained)][static_cast<std::size_t>(lost)];
      if (bound < truth - 1e-9) continue;
      covered +=
          of_gained * binomial.exactly(lost, questions - gained, lost_chance / (1 - gained_chance));
    }
  }
  EXPECT_GE(covered, level) << questions << " questions, " << lost_chance << " " << gained_chance;
  return covered;
}

std::vector<std::vector<double>> all_bounds(int questions, double level) {
  std::vector<std::vector<double>> bounds;
  for (int gained = 0; gained <= questions; ++gained) {
    bounds.emplace_back();
    for (int lost = 0; lost + gained <= questions; ++lost)
      bounds.back().push_back(loss_upper_bound({questions, lost, gained}, 1 - level));
  }
  return bounds;
}

class LossBoundCoverage : public testing::TestWithParam<std::pair<int, double>> {};

TEST_P(LossBoundCoverage, IsAtLeastTheLevelWhateverTheTruth) {
  const auto [questions, level] = GetParam();
  const auto bounds = all_bounds(questions, level);
  double least = 1;
  for (const double changed : {0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.95}) {
    for (const double part : {0.0, 0.1, 0.3, 0.5, 0.6, 0.75, 0.9, 0.99})
      least =
          std::min(least, coverage(questions, level, changed * part, changed * (1 - part), bounds));
  }
  // Careful, but not without measure; a handful of questions allows few different bounds.
  if (questions >= 25) {
    EXPECT_LT(least, 1 - (1 - level) / 4);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, LossBoundCoverage,
                         testing::Values(std::pair{8, 0.95}, std::pair{25, 0.95},
                                         std::pair{60, 0.9}, std::pair{60, 0.998}),
                         [](const auto& sample) {
                           return std::to_string(sample.param.first) + "questions" +
                                  std::to_string(static_cast<int>(1000 * sample.param.second));
                         });

TEST(LossBound, ComesNearTheNormalBoundOnManyQuestions) {
  // 2000 questions, 120 lost, 80 gained: loss 2 points, its standard error 0.706.
  const double share = 40.0 / 2000;
  const double error = 100 * std::sqrt((200.0 / 2000 - share * share) / 2000);
  const double bound = loss_upper_bound({2000, 120, 80}, 0.05);
  EXPECT_GT(bound, 2 + 1.645 * error);
  EXPECT_LT(bound, 2 + 1.645 * error * 1.2);
}

TEST(LossBound, GrowsWithWhatIsLostAndFallsWithWhatIsGained) {
  for (int lost = 0; lost < 20; ++lost) {
    EXPECT_LT(loss_upper_bound({100, lost, 5}, 0.05), loss_upper_bound({100, lost + 1, 5}, 0.05));
    EXPECT_GT(loss_upper_bound({100, 5, lost}, 0.05), loss_upper_bound({100, 5, lost + 1}, 0.05));
  }
  EXPECT_LT(loss_upper_bound({100, 5, 3}, 0.1), loss_upper_bound({100, 5, 3}, 0.01));
  EXPECT_LT(loss_upper_bound({400, 20, 12}, 0.05), loss_upper_bound({100, 5, 3}, 0.05));
}

TEST(LossBound, NothingChangedIsBoundedByTheShareThatMayChange) {
  // No loss can be larger than the share of answers that change, bounded at gamma = 0.05 / 10.
  EXPECT_LE(loss_upper_bound({100, 0, 0}, 0.05), 100 * (1 - std::pow(0.005, 0.01)) + 1e-6);
  EXPECT_GT(loss_upper_bound({100, 0, 0}, 0.05), 100 * (1 - std::pow(0.05, 0.01)));
}

TEST(LossBound, FewOrExtremeCountsStayInRange) {
  EXPECT_EQ(loss_upper_bound({}, 0.05), 100);
  EXPECT_EQ(loss_upper_bound({1, 0, 0}, 0.05), 100);
  EXPECT_EQ(loss_upper_bound({50, 50, 0}, 0.05), 100);
  const double all_gained = loss_upper_bound({50, 0, 50}, 0.05);
  EXPECT_GE(all_gained, -100);
  EXPECT_LT(all_gained, -80);
}

}  // namespace
}  // namespace litestage
