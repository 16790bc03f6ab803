#include "base/highest_values.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace litestage::test {
namespace {

TEST(HighestValues, AreFoundWhateverTheBlocks) {
  std::mt19937 random(7);
  std::normal_distribution<float> noise;
  HighestValues highest;  // one for all, as what it held before must not matter
  for (const std::size_t size : {1U, 15U, 16U, 17U, 640U, 1000U, 64U}) {
    std::vector<float> values(size);
    std::generate(values.begin(), values.end(), [&] { return noise(random); });
    for (const int count : {1, 5, 2000}) {
      highest.find(values, count);
      std::vector<int> expected;
      for (std::size_t i = 0; i < size; ++i) {
        if (values[i] >= highest.threshold()) expected.push_back(static_cast<int>(i));
      }
      const std::vector<int> found(highest.indices().begin(), highest.indices().end());
      EXPECT_EQ(found, expected);
      // One for each block of 16 at least, as far as there are as many.
      EXPECT_GE(found.size(), std::min(static_cast<std::size_t>(count), (size + 15) / 16));
    }
  }
}

TEST(HighestValues, EqualOnesAreAllFound) {
  HighestValues highest;
  highest.find(std::vector<float>(40, 2.5F), 1);
  EXPECT_EQ(highest.indices().size(), 40U);
  EXPECT_EQ(highest.threshold(), 2.5F);
}

}  // namespace
}  // namespace litestage::test
