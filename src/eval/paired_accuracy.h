#pragma once

namespace litestage {

/// How a plan did on questions that the full model answered too.
struct PairedCounts {
  int questions = 0;
  int lost = 0;    ///< right with the full model alone
  int gained = 0;  ///< right with the plan alone

  /// Counts one question more, by whether each had it right.
  void add(bool full, bool plan);
  /// Observed loss, points (per cent of questions); 0 for no questions.
  double loss() const;
  /// Standard error of the loss, points; 0 for no questions.
  double loss_error() const;
  /// Whether the observed loss is at most so many points; exact where the two are equal.
  bool within(double max_loss) const;
};

/// Upper end of an exact one-sided interval for the true loss, in points: whatever the truth, the
/// result lies below it with a chance of at most `error`. The true loss is p10 - p01, the chance
/// that a question is right with the full model alone less the chance that it is right with the
/// plan alone; the questions are independent draws.
///
/// Inverts the unconditional test on D = lost - gained. For a supposed loss theta the test's p
/// value is the greatest P(D <= observed) over the nuisance psi = p10 + p01, where psi runs over
/// |theta| up to its own Clopper-Pearson limit at gamma = error / 10; the test gets the rest, error
/// - gamma (Berger and Boos, JASA 89, 1994). No grid is needed for the maximum:
///
/// - dP/dpsi = n/2 (P(D' = d + 1) - P(D' = d)), D' the same over n - 1 questions. For psi <= 1/2
/// the
///   generating function p01 + p0 x + p10 x^2 has real roots only, so that D' + n - 1 is a sum of
///   Bernoulli variables, whose distribution rises up to the whole number below its mean (Darroch
///   1964). Hence P grows with psi as soon as (n - 1) theta >= d + 1; smaller thetas are never
///   rejected, which errs on the safe side.
/// - For psi above 1/2 (more than half of the answers change sides) Chernoff's bound takes P's
/// place;
///   it grows with psi.
///
/// Costs a few dozen sums over at most `questions` terms.
/// @param error above 0, below 0.5: 0.05 for a level of 95 %
/// @return at most 100; 100 for no questions
double loss_upper_bound(const PairedCounts& counts, double error);

}  // namespace litestage
