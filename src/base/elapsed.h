#pragma once

#include <chrono>

namespace litestage {

/// Milliseconds between a point of time and now.
inline double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace litestage
