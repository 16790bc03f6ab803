#include "eval/paired_accuracy.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/binomial.h"

namespace litestage {
namespace {

/// The chances of a question: right with the full model alone, with the plan alone.
struct PairedChances {
  double lost = 0;
  double gained = 0;
};

PairedChances chances_of(double theta, double psi) {
  return {std::max(0.0, (psi + theta) / 2), std::max(0.0, (psi - theta) / 2)};
}

/// P(lost - gained <= most) over n questions: the sum over gained = g of P(gained = g) times
/// P(lost <= most + g | g), where lost is binomial over the n - g other questions. From one g to
/// the next the inner sum is carried on by adding positive terms alone.
/// @param chances of a sum below 1
double at_most(const Binomial& binomial, int n, int most, const PairedChances& chances) {
  const double lost = chances.lost / (1 - chances.gained);
  int g = std::max(0, -most);
  int k = most + g;
  double inner = binomial.at_most(k, n - g, lost);
  double sum = 0;
  for (; g <= n; ++g, ++k) {
    sum += binomial.exactly(g, n, chances.gained) * std::min(inner, 1.0);
    if (k >= n - g) {
      inner = 1;
      continue;
    }
    inner += lost * binomial.exactly(k, n - g - 1, lost) + binomial.exactly(k + 1, n - g - 1, lost);
  }
  return std::min(sum, 1.0);
}

/// A bound on P(D <= most) for every psi up to the one given: exp(s most) E exp(-s D), whose factor
/// for a question, 1 + psi (cosh s - 1) - theta sinh s, grows with psi. Any s >= 0 will do; the
/// best is found by cutting the range in thirds, since the logarithm is convex in s.
double chernoff(int n, int most, double theta, double psi) {
  const auto log_bound = [&](double s) {
    return s * most + n * std::log(1 + psi * (std::cosh(s) - 1) - theta * std::sinh(s));
  };
  double low = 0;
  double high = 20;
  for (int step = 0; step < 60; ++step) {
    const double third = (high - low) / 3;
    (log_bound(low + third) < log_bound(high - third) ? high : low) =
        log_bound(low + third) < log_bound(high - third) ? high - third : low + third;
  }
  return std::min(1.0, std::exp(log_bound(low)));
}

/// Where P's growth with psi is proven.
constexpr double MOST_EXACT_PSI = 0.5;

}  // namespace

void PairedCounts::add(bool full, bool plan) {
  ++questions;
  lost += full && !plan ? 1 : 0;
  gained += plan && !full ? 1 : 0;
}

double PairedCounts::loss() const {
  return questions == 0 ? 0 : 100.0 * (lost - gained) / questions;
}

double PairedCounts::loss_error() const {
  if (questions == 0) return 0;
  constexpr double POINTS = 100;
  const double net = lost - gained;
  return POINTS * std::sqrt(lost + gained - net * net / questions) / questions;
}

bool PairedCounts::within(double max_loss) const {
  constexpr double ROUNDING = 1e-9;
  return 100.0 * (lost - gained) <= max_loss * questions + ROUNDING;
}

double loss_upper_bound(const PairedCounts& counts, double error) {
  assert(error > 0 && error < 0.5);
  assert(counts.lost >= 0 && counts.gained >= 0 && counts.lost + counts.gained <= counts.questions);
  const int n = counts.questions;
  if (n < 2) return 100;
  const int observed = counts.lost - counts.gained;
  const double gamma = error / 10;
  const double most_psi = clopper_pearson_upper(counts.lost + counts.gained, n, gamma);
  const Binomial binomial(n);
  const auto rejected = [&](double theta) {
    if (std::abs(theta) <= MOST_EXACT_PSI) {
      const double psi = std::min(most_psi, MOST_EXACT_PSI);
      if (at_most(binomial, n, observed, chances_of(theta, psi)) > error - gamma) return false;
    }
    return most_psi <= MOST_EXACT_PSI || chernoff(n, observed, theta, most_psi) <= error - gamma;
  };
  double below = std::max((observed + 1.0) / (n - 1), -most_psi);
  double above = most_psi;  // no loss is larger than the share of answers that change
  if (below >= above) return 100 * above;
  for (int step = 0; step < 40; ++step) {
    const double middle = (below + above) / 2;
    (rejected(middle) ? above : below) = middle;
  }
  return 100 * above;
}

}  // namespace litestage
