#include "app/memory_bandwidth.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "app/system_memory.h"
#include "base/huge_pages.h"

namespace litestage::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t MOST_BYTES = std::size_t{1} << 30;
constexpr std::size_t FEWEST_BYTES = std::size_t{1} << 26;
constexpr int PASSES = 8;

// The C library's search for a byte that is not there: it reads everything once, with the widest
// vectors of this CPU, however this program was compiled.
bool holds_zero(std::span<const unsigned char> bytes) {
  return std::memchr(bytes.data(), 0, bytes.size()) != nullptr;
}

}  // namespace

double measure_memory_bandwidth(int threads) {
  const auto count = static_cast<std::size_t>(std::max(threads, 1));
  // A quarter of what is left at most, or the program would be ended for measuring.
  const std::size_t available = available_memory().value_or(4 * MOST_BYTES);
  const std::size_t bytes = std::clamp(available / 4, FEWEST_BYTES, MOST_BYTES);
  const std::size_t share = bytes / count;
  std::vector<std::vector<unsigned char>> parts(count);
  std::vector<double> seconds(PASSES);
  std::atomic<bool> found = false;  // so that no read can be left out
  std::barrier ready(static_cast<std::ptrdiff_t>(count));
  const auto work = [&](std::size_t index) {
    parts[index].reserve(share);
    prefer_huge_pages(parts[index].data(), share);  // as for weights
    parts[index].assign(share, 1);                  // touched by the thread that reads it
    for (double& pass : seconds) {
      ready.arrive_and_wait();
      const auto begin = Clock::now();
      if (holds_zero(parts[index])) found = true;
      ready.arrive_and_wait();
      if (index == 0) pass = std::chrono::duration<double>(Clock::now() - begin).count();
    }
  };
  {
    std::vector<std::jthread> workers;
    for (std::size_t index = 1; index < count; ++index)
      workers.emplace_back(work, index);
    work(0);
  }
  const double best = *std::min_element(seconds.begin(), seconds.end());
  assert(!found);
  return static_cast<double>(share * count) / best;
}

}  // namespace litestage::app
