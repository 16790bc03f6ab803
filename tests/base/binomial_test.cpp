#include "base/binomial.h"

#include <gtest/gtest.h>

#include <cmath>

namespace litestage {
namespace {

TEST(Binomial, TenCoins) {
  const Binomial binomial(10);
  EXPECT_NEAR(binomial.exactly(5, 10, 0.5), 252.0 / 1024, 1e-12);
  EXPECT_NEAR(binomial.at_most(2, 10, 0.5), 56.0 / 1024, 1e-12);
  EXPECT_EQ(binomial.at_most(10, 10, 0.5), 1);
  EXPECT_EQ(binomial.at_most(-1, 10, 0.5), 0);
  EXPECT_EQ(binomial.exactly(11, 10, 0.5), 0);
}

TEST(Binomial, ChancesOfNoneAndAllAreCertain) {
  const Binomial binomial(6);
  EXPECT_EQ(binomial.exactly(0, 6, 0), 1);
  EXPECT_EQ(binomial.exactly(1, 6, 0), 0);
  EXPECT_EQ(binomial.exactly(6, 6, 1), 1);
  EXPECT_EQ(binomial.exactly(5, 6, 1), 0);
}

TEST(Binomial, ProbabilitiesOfManyTrialsAddUp) {
  const Binomial binomial(2000);
  double sum = 0;
  for (int i = 0; i <= 2000; ++i)
    sum += binomial.exactly(i, 2000, 0.137);
  EXPECT_NEAR(sum, 1, 1e-10);
}

// With no success in n the upper end is 1 - error^(1/n): the "rule of three".
TEST(ClopperPearson, NoSuccessHasAClosedForm) {
  for (const int trials : {1, 10, 100, 2000}) {
    EXPECT_NEAR(clopper_pearson_upper(0, trials, 0.05), 1 - std::pow(0.05, 1.0 / trials), 1e-9);
  }
}

TEST(ClopperPearson, OneFailureHasAClosedForm) {
  // P(X <= n - 1) = 1 - p^n.
  EXPECT_NEAR(clopper_pearson_upper(9, 10, 0.025), std::pow(0.975, 0.1), 1e-9);
  EXPECT_EQ(clopper_pearson_upper(10, 10, 0.025), 1);
}

TEST(ClopperPearson, AgreesWithPrintedFigures) {
  // 95 % two-sided limits: 5 of 10 gives 0.1871 to 0.8129, 1 of 10 gives 0.0025 to 0.4450, and
  // 81 of 263 (Newcombe 1998) gives 0.2527 to 0.3676.
  EXPECT_NEAR(clopper_pearson_upper(5, 10, 0.025), 0.8129, 5e-5);
  EXPECT_NEAR(clopper_pearson_upper(1, 10, 0.025), 0.4450, 5e-5);
  EXPECT_NEAR(clopper_pearson_upper(81, 263, 0.025), 0.3676, 5e-5);
}

// Newcombe, Statistics in Medicine 17 (1998), table I: the score method without continuity
// correction.
TEST(Wilson, AgreesWithNewcombesTable) {
  struct Row {
    int successes;
    int trials;
    double low;
    double high;
  };
  for (const Row& row : {Row{81, 263, 0.2553, 0.3662}, Row{15, 148, 0.0624, 0.1605},
                         Row{0, 20, 0.0000, 0.1611}, Row{1, 29, 0.0061, 0.1718}}) {
    const Interval interval = wilson_95(row.successes, row.trials);
    EXPECT_NEAR(interval.low, row.low, 5e-5) << row.successes;
    EXPECT_NEAR(interval.high, row.high, 5e-5) << row.successes;
  }
}

TEST(Wilson, HasAWidthAtBothEnds) {
  EXPECT_EQ(wilson_95(0, 30).low, 0);
  EXPECT_GT(wilson_95(0, 30).high, 0.1);
  EXPECT_EQ(wilson_95(30, 30).high, 1);
  EXPECT_LT(wilson_95(30, 30).low, 0.9);
  EXPECT_EQ(wilson_95(0, 0).low, 0);
  EXPECT_EQ(wilson_95(0, 0).high, 1);
}

}  // namespace
}  // namespace litestage
