#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace litestage {

void for_each_index(int count, int threads, const std::function<void(int)>& work) {
  std::atomic<int> next = 0;
  const auto take = [&] {
    for (int i = next++; i < count; i = next++)
      work(i);
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < std::min(threads, count); ++i)
    others.emplace_back(take);
  take();
}

}  // namespace litestage
