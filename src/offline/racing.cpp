#include "offline/racing.h"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace litestage {
namespace {

/// Shares of the largest bet. A candidate that loses d of its questions and changes s of them is
/// found out fastest by a bet of about (d - L) / s: small losses want small bets.
constexpr std::array<double, 8> BET_SHARES = {0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9};

}  // namespace

Race::Race(std::vector<bool> full_correct, double max_loss, double error)
    : full_correct_(std::move(full_correct)),
      max_loss_(max_loss),
      error_(error),
      gains_left_(static_cast<int>(std::ranges::count(full_correct_, false))) {
  static_assert(BET_SHARES.size() == BETS);
  assert(max_loss >= 0 && error >= 0 && error < 1);
  products_.fill(1);
}

bool Race::add(bool correct) {
  assert(static_cast<std::size_t>(counts_.questions) < full_correct_.size());
  const bool full = full_correct_[static_cast<std::size_t>(counts_.questions)];
  counts_.add(full, correct);
  correct_ += correct ? 1 : 0;
  full_so_far_ += full ? 1 : 0;
  gains_left_ -= full ? 0 : 1;
  const double limit = max_loss_ / 100;
  const double change = static_cast<double>(full) - static_cast<double>(correct);
  for (std::size_t bet = 0; bet < BETS; ++bet)
    products_[bet] *= 1 + BET_SHARES[bet] / (1 + limit) * (change - limit);
  out_ = out_ || wealth() * error_ >= 1 || is_beyond_hope();
  return out_;
}

double Race::wealth() const {
  return std::accumulate(products_.begin(), products_.end(), 0.0) / static_cast<double>(BETS);
}

bool Race::is_beyond_hope() const {
  const PairedCounts best = {static_cast<int>(full_correct_.size()), counts_.lost,
                             counts_.gained + gains_left_};
  return !best.within(max_loss_);
}

}  // namespace litestage
