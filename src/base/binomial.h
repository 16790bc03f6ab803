#pragma once

#include <vector>

namespace litestage {

/// Exact probabilities of the binomial distribution, by a table of log factorials.
class Binomial {
 public:
  /// @param most_trials the largest number of trials that will be asked for
  explicit Binomial(int most_trials);

  /// Probability of exactly `successes` in `trials`; 0 outside 0..trials.
  double exactly(int successes, int trials, double chance) const;
  /// Probability of `successes` or fewer; a sum of positive terms.
  double at_most(int successes, int trials, double chance) const;

 private:
  std::vector<double> log_factorial_;
};

/// Upper end of the exact one-sided interval for a proportion (Clopper and Pearson 1934): the
/// largest chance under which so few successes still have probability `error`.
/// @param successes 0..trials
/// @param error above 0, below 1: the chance that the true proportion lies above the result
double clopper_pearson_upper(int successes, int trials, double error);

/// Ends of a two-sided interval.
struct Interval {
  double low = 0;
  double high = 1;
};

/// Wilson's 95 % score interval of a proportion (1927). Unlike value +- 1.96 standard errors it has
/// a width at 0 and at 1 too, and never leaves [0, 1].
/// @param trials 0 gives [0, 1]
Interval wilson_95(int successes, int trials);

/// Two-sided p value of McNemar's exact test (1947): of the questions on which two ways to answer
/// differ, either side is as likely under the null, so that the smaller count is binomial with
/// chance 1/2. 1 when they never differ.
/// @param lost, gained right with the first way alone, with the second alone
double mcnemar_exact(int lost, int gained);

/// A 95 % interval of the difference of two proportions that were seen on the same trials, second
/// less first: Bonett and Price's adjusted Wald interval (Journal of Educational and Behavioral
/// Statistics 37, 2012), which adds one trial to each side. Unlike a bootstrap's its width is not
/// zero when the two never differ.
/// @param trials at least 1
/// @param lost, gained successes of the first alone, of the second alone
/// @return within [-1, 1]
Interval paired_difference_95(int lost, int gained, int trials);

}  // namespace litestage
