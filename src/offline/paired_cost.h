#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace litestage {

/// A measured value with its standard error.
struct Estimate {
  double value = 0;
  double error = 0;
};

/// The mean of what is left when the lowest and the highest fifth of the values are dropped: a
/// disturbed measurement has no say. The standard error is the one for trimmed means, from the
/// Winsorised variance (Tukey and McLaughlin, 1963); infinite for a single value.
/// @param values at least one
Estimate trimmed_mean(std::vector<double> values);

struct PairingOptions {
  int min_rounds = 3;
  int max_rounds = 40;
  double max_ms = 15000;   ///< no new round begins when so many milliseconds have been timed
  std::uint32_t seed = 1;  ///< of the arms' order
};

/// What ways of doing the same work, its arms, cost beside arm 0.
struct PairedCosts {
  Estimate whole;               ///< milliseconds of arm 0
  std::vector<Estimate> saved;  ///< by how many each further arm is faster; noise may make it < 0
  int rounds = 0;
};

/// Times all arms round after round, each round in another random order, and compares arm 0 with
/// the others within each round: what changes slowly (clock rates, other processes) cancels.
/// @param arms at least 1
/// @param run does an arm's work once and tells its milliseconds
/// @param progress told the milliseconds timed so far; returning false stops
/// @return nothing when it was stopped
std::optional<PairedCosts> compare_arms(int arms, const std::function<double(int)>& run,
                                        const PairingOptions& options,
                                        const std::function<bool(double)>& progress = {});

}  // namespace litestage
