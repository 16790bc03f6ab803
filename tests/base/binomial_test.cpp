#include "base/binomial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

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

/// A printed 95 % interval.
struct PrintedRow {
  int successes;
  int trials;
  double low;
  double high;
};

TEST(ClopperPearson, AgreesWithPrintedFigures) {
  // The last four: Newcombe, Statistics in Medicine 17 (1998), table I, the exact method. 13 of 16
  // is printed by contingencytables, the R package to Fagerland, Lydersen and Laake, Statistical
  // Analysis of Contingency Tables (2017).
  for (const PrintedRow& row :
       {PrintedRow{5, 10, 0.1871, 0.8129}, PrintedRow{1, 10, 0.0025, 0.4450},
        PrintedRow{13, 16, 0.5435, 0.9595}, PrintedRow{81, 263, 0.2527, 0.3676},
        PrintedRow{15, 148, 0.0578, 0.1617}, PrintedRow{0, 20, 0, 0.1684},
        PrintedRow{1, 29, 0.0009, 0.1776}}) {
    EXPECT_NEAR(clopper_pearson_upper(row.successes, row.trials, 0.025), row.high, 5e-5)
        << row.successes;
    // The lower end is the other outcome's upper one.
    EXPECT_NEAR(1 - clopper_pearson_upper(row.trials - row.successes, row.trials, 0.025), row.low,
                5e-5)
        << row.successes;
  }
}

// Newcombe's table again: the score method without continuity correction.
TEST(Wilson, AgreesWithNewcombesTable) {
  for (const PrintedRow& row :
       {PrintedRow{81, 263, 0.2553, 0.3662}, PrintedRow{15, 148, 0.0624, 0.1605},
        PrintedRow{0, 20, 0.0000, 0.1611}, PrintedRow{1, 29, 0.0061, 0.1718}}) {
    const Interval interval = wilson_95(row.successes, row.trials);
    EXPECT_NEAR(interval.low, row.low, 5e-5) << row.successes;
    EXPECT_NEAR(interval.high, row.high, 5e-5) << row.successes;
  }
}

/// The exact chance that an interval made of so many successes holds the true proportion.
/// @param intervals one for each number of successes, from none to all
double proportion_coverage(const std::vector<Interval>& intervals, double truth) {
  const int trials = static_cast<int>(intervals.size()) - 1;
  const Binomial binomial(trials);
  double covered = 0;
  for (int successes = 0; successes <= trials; ++successes) {
    const Interval& interval = intervals[static_cast<std::size_t>(successes)];
    if (interval.low <= truth && truth <= interval.high)
      covered += binomial.exactly(successes, trials, truth);
  }
  return covered;
}

/// Coverages of proportions that lie evenly between 0 and 1.
struct Coverages {
  double mean = 0;
  double least = 1;         ///< of all
  double least_within = 1;  ///< of those from 0.1 to 0.9
};

Coverages coverages_of(int trials, const std::function<Interval(int, int)>& interval) {
  std::vector<Interval> intervals;
  for (int successes = 0; successes <= trials; ++successes)
    intervals.push_back(interval(successes, trials));
  constexpr int TRUTHS = 500;
  Coverages found;
  for (int i = 0; i < TRUTHS; ++i) {
    const double truth = (i + 0.5) / TRUTHS;
    const double covered = proportion_coverage(intervals, truth);
    found.mean += covered / TRUTHS;
    found.least = std::min(found.least, covered);
    if (0.1 <= truth && truth <= 0.9) found.least_within = std::min(found.least_within, covered);
  }
  return found;
}

/// The interval that Wilson's is there instead of: value +- 1.96 standard errors.
Interval wald_95(int successes, int trials) {
  const double share = static_cast<double>(successes) / trials;
  const double half = 1.959963985 * std::sqrt(share * (1 - share) / trials);
  return {share - half, share + half};
}

TEST(Wilson, HoldsTheTruthAsOftenAsItSays) {
  for (const int trials : {10, 20, 50, 100, 200}) {
    const Coverages wilson = coverages_of(trials, wilson_95);
    EXPECT_NEAR(wilson.mean, 0.95, 0.005) << trials;
    EXPECT_GE(wilson.least_within, trials < 20 ? 0.91 : 0.92) << trials;
    // Near 0 and 1 it holds it less often than said, as is known of it.
    EXPECT_GE(wilson.least, 0.84) << trials;
  }
  EXPECT_LT(coverages_of(20, wald_95).mean, 0.9) << "it is told apart";
}

TEST(ClopperPearson, HoldsTheTruthAtLeastAsOftenAsItSays) {
  for (const double error : {0.025, 0.05}) {
    for (const int trials : {10, 50, 200}) {
      const auto below = [&](int successes, int all) {
        return Interval{0, clopper_pearson_upper(successes, all, error)};
      };
      const Coverages found = coverages_of(trials, below);
      EXPECT_GE(found.least, 1 - error) << trials;
      EXPECT_LT(found.least, 1 - 0.9 * error) << "it is no wider than that takes";
    }
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
  // Fagerland, Lydersen and Laake (2017), chapter 8: complete response before and after
  // consolidation therapy, 6 against 16; contingencytables prints P = 0.052479.
  EXPECT_NEAR(mcnemar_exact(6, 16), 0.052479, 5e-7);
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

// The same 6 against 16 of 161 patients: contingencytables prints the interval with Bonett and
// Price's adjustment as -0.1195 to -0.0032.
TEST(PairedDifference, AgreesWithAPublishedExample) {
  const Interval interval = paired_difference_95(16, 6, 161);
  EXPECT_NEAR(interval.low, -0.1195, 5e-5);
  EXPECT_NEAR(interval.high, -0.0032, 5e-5);
}

TEST(PairedDifference, AWorkedExample) {
  // The 1 and 7 of above, of 21, by hand: shares 2 / 23 and 8 / 23, difference 6 / 23, variance
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

// Where a fair part of the answers differs the interval is not wider than it must be; with few that
// differ it is careful.
TEST(PairedDifference, HoldsTheTruthOnAverageHardlyMoreOftenThanItSays) {
  for (const auto& [trials, most] : {std::pair{25, 0.975}, {60, 0.965}, {120, 0.96}}) {
    double sum = 0;
    int truths = 0;
    for (const double differing : {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}) {
      for (const double part : {0.1, 0.3, 0.5, 0.7, 0.9}) {
        sum += coverage(differing * part, differing * (1 - part), trials);
        ++truths;
      }
    }
    EXPECT_GE(sum / truths, 0.95) << trials;
    EXPECT_LE(sum / truths, most) << trials;
  }
}

}  // namespace
}  // namespace litestage
