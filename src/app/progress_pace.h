#pragma once

#include <chrono>
#include <cstdint>

namespace litestage::app {

/// Says when a line of progress is due where no bar can be drawn: half a minute after the last
/// line, or as soon as a further tenth of the work is done, but not within 5 seconds. Short work
/// and work that is done get none: whoever did it has a line of their own for that.
class ProgressPace {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ProgressPace(Clock::time_point now) : last_line_(now) {}

  /// Other work begins, of which nothing is done.
  void begin() { tenths_ = 0; }
  /// A line was written.
  void written(Clock::time_point now) { last_line_ = now; }
  /// @param total 0 when unknown
  /// @return whether a line is to be written now
  bool due(Clock::time_point now, std::uint64_t done, std::uint64_t total);

 private:
  Clock::time_point last_line_;
  std::uint64_t tenths_ = 0;  ///< done when the last line was written
};

}  // namespace litestage::app
