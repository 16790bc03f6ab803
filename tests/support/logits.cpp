#include "support/logits.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace litestage::test {

std::vector<float> random_logits(std::size_t count, float spread, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> logits(count);
  for (float& logit : logits)
    logit = spread * normal(random);
  return logits;
}

std::vector<double> log_probabilities(std::span<const float> logits) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits)
    sum += std::exp(logit - most);
  std::vector<double> result;
  for (const float logit : logits)
    result.push_back(logit - most - std::log(sum));
  return result;
}

}  // namespace litestage::test
