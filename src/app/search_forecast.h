#pragma once

#include <chrono>
#include <deque>
#include <optional>

namespace litestage::app {

/// How long the questions of a search still take at most. The pace is the slower one of all
/// questions so far and of the last two minutes: answers that a memo gave at the beginning, or that
/// came several at a time, promise nothing of those that are left.
class SearchForecast {
 public:
  using Clock = std::chrono::steady_clock;

  explicit SearchForecast(Clock::time_point now) { begin(now); }

  /// Other work begins, of which nothing is done.
  void begin(Clock::time_point now);
  /// One question more is answered.
  void add(Clock::time_point now);
  /// @param questions that are left at most
  /// @return nothing in the first seconds, when there is no pace yet
  std::optional<double> seconds_for(long questions) const;

 private:
  /// So many questions were answered by then.
  struct Sample {
    Clock::time_point time;
    long answered = 0;
  };

  Sample begin_;
  Sample last_;
  std::deque<Sample> recent_;  // about one a second, the first one not younger than the window
};

}  // namespace litestage::app
