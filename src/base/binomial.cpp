#include "base/binomial.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>

namespace litestage {
namespace {

/// count * ln(chance), where nothing to the power of nothing is one.
double log_power(int count, double log_chance) {
  return count == 0 ? 0 : count * log_chance;
}

}  // namespace

Binomial::Binomial(int most_trials) : log_factorial_(static_cast<std::size_t>(most_trials) + 1) {
  assert(most_trials >= 0);
  for (std::size_t i = 1; i < log_factorial_.size(); ++i)
    log_factorial_[i] = log_factorial_[i - 1] + std::log(static_cast<double>(i));
}

double Binomial::exactly(int successes, int trials, double chance) const {
  assert(trials >= 0 && static_cast<std::size_t>(trials) < log_factorial_.size());
  if (successes < 0 || successes > trials) return 0;
  const double ways = log_factorial_[static_cast<std::size_t>(trials)] -
                      log_factorial_[static_cast<std::size_t>(successes)] -
                      log_factorial_[static_cast<std::size_t>(trials - successes)];
  return std::exp(ways + log_power(successes, std::log(chance)) +
                  log_power(trials - successes, std::log1p(-chance)));
}

double Binomial::at_most(int successes, int trials, double chance) const {
  if (successes >= trials) return 1;
  double sum = 0;
  for (int i = 0; i <= successes; ++i)
    sum += exactly(i, trials, chance);
  return std::min(sum, 1.0);
}

double clopper_pearson_upper(int successes, int trials, double error) {
  assert(successes >= 0 && successes <= trials && error > 0 && error < 1);
  if (successes == trials) return 1;
  const Binomial binomial(trials);
  double below = static_cast<double>(successes) / trials;
  double above = 1;
  // The probability falls as the chance grows; `above` stays on the safe side.
  for (int step = 0; step < 60 && above - below > 1e-12; ++step) {
    const double middle = (below + above) / 2;
    (binomial.at_most(successes, trials, middle) > error ? below : above) = middle;
  }
  return above;
}

Interval wilson_95(int successes, int trials) {
  assert(successes >= 0 && successes <= trials);
  if (trials == 0) return {};
  const double z = 1.959963985;
  const double n = trials;
  const double share = successes / n;
  const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half =
      z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  // At the ends the sum is 0 or 1 but for rounding.
  return {successes == 0 ? 0 : centre - half, successes == trials ? 1 : centre + half};
}

double mcnemar_exact(int lost, int gained) {
  assert(lost >= 0 && gained >= 0);
  const int differing = lost + gained;
  return std::min(1.0, 2 * Binomial(differing).at_most(std::min(lost, gained), differing, 0.5));
}

Interval paired_difference_95(int lost, int gained, int trials) {
  assert(lost >= 0 && gained >= 0 && lost + gained <= trials && trials > 0);
  const double z = 1.959963985;
  const double n = trials + 2.0;
  const double first = (lost + 1) / n;
  const double second = (gained + 1) / n;
  const double centre = second - first;
  const double half = z * std::sqrt((first + second - centre * centre) / n);
  return {std::max(-1.0, centre - half), std::min(1.0, centre + half)};
}

}  // namespace litestage
