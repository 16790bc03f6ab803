#include "base/binomial.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

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

TEST(McNemar, AgreesWithPublishedExamples) {
  // Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91 (2013): airway
  // hyper-responsiveness before and after transplantation, 1 against 7. 2 * (1 + 8) / 2^8.
  EXPECT_NEAR(mcnemar_exact(1, 7), 18.0 / 256, 1e-12);
  // Vignette of the R package exact2x2, 9 against 2. 2 * (1 + 11 + 55) / 2^11 = 0.06543.
  EXPECT_NEAR(mcnemar_exact(9, 2), 134.0 / 2048, 1e-12);
}

TEST(McNemar, IsSymmetricAndOneWithoutDifferences) {
  EXPECT_EQ(mcnemar_exact(0, 0), 1);
  EXPECT_EQ(mcnemar_exact(5, 5), 1);
  EXPECT_EQ(mcnemar_exact(3, 11), mcnemar_exact(11, 3));
  EXPECT_NEAR(mcnemar_exact(0, 10), 2.0 / 1024, 1e-12);
  EXPECT_LT(mcnemar_exact(400, 600), 1e-9);
}

// Under the null the test rejects at 5 % at most that often, whatever the number of differences.
TEST(McNemar, KeepsItsLevel) {
  const Binomial binomial(60);
  for (int differing = 1; differing <= 60; ++differing) {
    double rejected = 0;
    for (int lost = 0; lost <= differing; ++lost) {
      if (mcnemar_exact(lost, differing - lost) <= 0.05)
        rejected += binomial.exactly(lost, differing, 0.5);
    }
    EXPECT_LE(rejected, 0.05) << differing;
  }
}

TEST(PairedDifference, AWorkedExample) {
  // The same 1 and 7 of 21 by hand: shares 2 / 23 and 8 / 23, difference 6 / 23, variance
  // (10 / 23 - 36 / 529) / 23 = 194 / 12167.
  const double half = 1.959963985 * std::sqrt(194.0 / 12167);
  const Interval interval = paired_difference_95(1, 7, 21);
  EXPECT_NEAR(interval.low, 6.0 / 23 - half, 1e-12);
  EXPECT_NEAR(interval.high, 6.0 / 23 + half, 1e-12);
}

TEST(PairedDifference, HasAWidthWithoutDifferencesAndStaysInRange) {
  const Interval none = paired_difference_95(0, 0, 100);
  EXPECT_NEAR(none.high, 1.959963985 * std::sqrt(2.0 / 102 / 102), 1e-12);
  EXPECT_EQ(none.low, -none.high);
  EXPECT_EQ(paired_difference_95(0, 3, 3).high, 1);
  EXPECT_EQ(paired_difference_95(3, 0, 3).low, -1);
}

/// The exact chance that the interval holds the true difference: a sum over all outcomes.
double coverage(double lost_chance, double gained_chance, int trials) {
  const Binomial binomial(trials);
  double covered = 0;
  for (int lost = 0; lost <= trials; ++lost) {
    const double chance = binomial.exactly(lost, trials, lost_chance);
    for (int gained = 0; gained + lost <= trials; ++gained) {
      const Interval interval = paired_difference_95(lost, gained, trials);
      const double truth = gained_chance - lost_chance;
      if (interval.low <= truth && truth <= interval.high)
        covered +=
            chance * binomial.exactly(gained, trials - lost, gained_chance / (1 - lost_chance));
    }
  }
  return covered;
}

TEST(PairedDifference, HoldsTheTruthAsOftenAsItSays) {
  for (const int trials : {25, 100, 300}) {
    for (const auto& [lost, gained] : {std::pair{0.01, 0.01},
                                       {0.05, 0.02},
                                       {0.1, 0.1},
                                       {0.15, 0.02},
                                       {0.3, 0.1},
                                       {0.45, 0.05},
                                       {0.02, 0.5}}) {
      EXPECT_GE(coverage(lost, gained, trials), 0.935) << trials << ' ' << lost << ' ' << gained;
    }
  }
}

}  // namespace
}  // namespace litestage
