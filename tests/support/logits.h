#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace litestage::test {

/// Normally distributed values around 0.
/// @param spread their standard deviation
std::vector<float> random_logits(std::size_t count, float spread, unsigned seed);

/// Logarithms of the softmax, in double.
std::vector<double> log_probabilities(std::span<const float> logits);

}  // namespace litestage::test
