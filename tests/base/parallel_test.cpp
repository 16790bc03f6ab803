#include "base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace litestage {
namespace {

TEST(Parallel, EveryIndexIsWorkedOnOnce) {
  for (const int count : {0, 1, 2, 7, 1000}) {
    for (const int threads : {0, 1, 3, 16}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
      for_each_index(count, threads, [&](int i) { ++calls[static_cast<std::size_t>(i)]; });
      for (const std::atomic<int>& number : calls)
        EXPECT_EQ(number, 1) << count << " " << threads;
    }
  }
}

}  // namespace
}  // namespace litestage
