#pragma once

#include <array>
#include <vector>

#include "eval/paired_accuracy.h"

namespace litestage {

/// One candidate's way through the questions beside the full model; says when its loss is clearly
/// over the limit, so that the rest need not be run.
///
/// Testing by betting (Waudby-Smith and Ramdas, JRSS-B 86, 2024) that the candidate loses at most
/// the limit L (a share). With x_i = 1 for a question lost, -1 for one gained, else 0,
///
///     wealth_k = mean over lambda of prod_{i <= k} (1 + lambda (x_i - L)),
///
/// lambda over a fixed grid in (0, 1 / (1 + L)). While the true loss E x_i is at most L, the wealth
/// is a non-negative supermartingale that starts at 1, so it ever reaches 1 / error with a chance
/// of at most `error` (Ville 1939), however often one looks. That is the chance of dropping a
/// candidate whose true loss is within the limit.
///
/// Condition: the questions are independent draws of the kind the limit is meant for, in random
/// order; a set sorted by difficulty or topic has to be shuffled first.
///
/// Dropped as well, with certainty: a candidate whose observed loss would end over the limit even
/// if it gained every question to come that the full model has wrong.
class Race {
 public:
  /// @param full_correct whether the full model has each question right, in the order of the race
  /// @param max_loss points
  /// @param error 0 leaves only what is certain
  Race(std::vector<bool> full_correct, double max_loss, double error);

  /// The candidate's answer to the next question.
  /// @return whether it is out, now or earlier
  bool add(bool correct);

  bool out() const { return out_; }
  const PairedCounts& counts() const { return counts_; }  ///< so far
  int correct() const { return correct_; }
  int full_correct() const { return full_so_far_; }  ///< on the same questions

 private:
  double wealth() const;
  bool is_beyond_hope() const;

  static constexpr std::size_t BETS = 8;

  std::vector<bool> full_correct_;
  double max_loss_;
  double error_;
  int gains_left_;  // questions to come that the full model has wrong
  std::array<double, BETS> products_;
  PairedCounts counts_;
  int correct_ = 0;
  int full_so_far_ = 0;
  bool out_ = false;
};

}  // namespace litestage
