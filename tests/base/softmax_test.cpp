#include "base/softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "support/logits.h"

namespace litestage::test {
namespace {

double divergence(const std::vector<float>& from, const std::vector<float>& to) {
  const std::vector<double> p = log_probabilities(from);
  const std::vector<double> q = log_probabilities(to);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    sum += std::exp(p[i]) * (p[i] - q[i]);
  return sum;
}

/// The rounding's part at one position, as the header states it.
double rounding_error(const std::vector<float>& from, const std::vector<float>& to) {
  const std::vector<double> p = log_probabilities(from);
  const std::vector<double> q = log_probabilities(to);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    sum += std::exp(2 * p[i]) * (p[i] - q[i]) * (p[i] - q[i]);
  return 5e-5 * std::sqrt(sum);
}

double packed(const std::vector<float>& from, const std::vector<float>& to) {
  std::vector<std::uint16_t> codes(from.size());
  const double normaliser = pack_softmax(from, largest_of(from), codes);
  return packed_divergence(codes, normaliser, to, largest_of(to));
}

constexpr std::size_t SIZES[] = {1, 3, 16, 17, 1000, 49152, 151936};

TEST(Softmax, LargestIsFoundWhereverItStands) {
  for (const std::size_t count : SIZES) {
    for (const std::size_t place : {std::size_t{0}, count / 2, count - 1}) {
      std::vector<float> values(count, -3.0F);
      values[place] = -2.5F;
      EXPECT_EQ(largest_of(values), -2.5F) << count << " " << place;
    }
  }
}

TEST(Softmax, SumsAgreeWithTheirDefinition) {
  for (const std::size_t count : SIZES) {
    for (const float spread : {0.0F, 0.5F, 3.0F, 40.0F}) {
      const std::vector<float> logits = random_logits(count, spread, 3);
      const double most = *std::max_element(logits.begin(), logits.end());
      double normaliser = 0;
      double weighted = 0;
      for (const float logit : logits) {
        normaliser += std::exp(logit - most);
        weighted += (logit - most) * std::exp(logit - most);
      }
      const SoftmaxSums sums = softmax_sums(logits, static_cast<float>(most));
      EXPECT_NEAR(sums.normaliser, normaliser, 1e-5 * normaliser) << count << " " << spread;
      EXPECT_NEAR(sums.weighted, weighted, 1e-5 * std::abs(weighted)) << count << " " << spread;
    }
  }
}

TEST(Softmax, ADistributionIsNoDistanceFromItself) {
  for (const std::size_t count : SIZES) {
    for (const float spread : {0.0F, 0.5F, 3.0F, 40.0F}) {
      const std::vector<float> logits = random_logits(count, spread, 4);
      const double self = packed(logits, logits);
      EXPECT_GE(self, 0);
      EXPECT_LT(self, 1e-6) << count << " " << spread;
    }
  }
}

TEST(Softmax, PackedDivergenceAgreesWithItsDefinition) {
  for (const std::size_t count : SIZES) {
    for (const float spread : {0.5F, 3.0F, 6.0F}) {
      for (const float change : {0.05F, 0.5F, 3.0F}) {
        const std::vector<float> from = random_logits(count, spread, 5);
        std::vector<float> to = random_logits(count, change, 6);
        for (std::size_t i = 0; i < count; ++i)
          to[i] += from[i];
        const double expected = divergence(from, to);
        // Four standard deviations of the rounding, and single precision.
        EXPECT_NEAR(packed(from, to), expected,
                    4 * rounding_error(from, to) + 2e-5 * expected + 1e-6)
            << count << " " << spread << " " << change;
      }
    }
  }
}

TEST(Softmax, RoundingLeansToNoSide) {
  double expected = 0;
  double found = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    const std::vector<float> from = random_logits(320, 3, 2 * seed);
    std::vector<float> to = random_logits(320, 0.5, 2 * seed + 1);
    for (std::size_t i = 0; i < to.size(); ++i)
      to[i] += from[i];
    expected += divergence(from, to);
    found += packed(from, to);
  }
  EXPECT_NEAR(found / expected, 1, 1e-4);
}

TEST(Softmax, WhatLiesOutOfRangeHasNoWeight) {
  std::vector<float> from(1000, -200.0F);
  from[17] = 10.0F;
  std::vector<float> to = from;
  to[18] = 9.0F;
  EXPECT_NEAR(packed(from, to), divergence(from, to), 1e-6);
  EXPECT_LT(packed(from, from), 1e-6);
}

}  // namespace
}  // namespace litestage::test
