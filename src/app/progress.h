#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "app/progress_pace.h"

namespace litestage::app {

/// A bar on one line of a terminal: share, bytes or other units, rate and time left. Without a
/// terminal, or on one that cannot go back on its line (TERM=dumb), it writes a line now and then
/// (progress_pace.h). NO_COLOR takes the colour.
class ProgressBar {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ProgressBar(std::FILE* stream = stderr);
  /// Wipes the bar's line.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// @param label what is being done; another label starts the rate anew
  /// @param total 0 when unknown
  /// @param unit what is counted, as "questions"; empty: bytes
  /// @param note shown behind the label; may change as the work goes on
  /// @param seconds_left where the caller knows better than by the rate; 0: nobody knows yet
  void show(const std::string& label, std::uint64_t done, std::uint64_t total,
            const std::string& unit = {}, const std::string& note = {},
            std::optional<double> seconds_left = std::nullopt);
  /// Makes room for another line on the stream.
  void wipe();

 private:
  double rate(Clock::time_point now, std::uint64_t done, Clock::duration window);

  std::FILE* stream_;
  bool redraws_;
  bool coloured_;
  bool drawn_ = false;
  ProgressPace pace_;  // where the line is not redrawn
  std::string label_;
  Clock::time_point last_draw_;
  std::deque<std::pair<Clock::time_point, std::uint64_t>> samples_;  // of the last seconds
};

/// The bar's text for a line of `width` columns.
/// @param rate bytes or units a second; 0 when not known yet
/// @param unit empty: bytes
std::string progress_line(const std::string& label, std::uint64_t done, std::uint64_t total,
                          double rate, int width, const std::string& unit = {});

/// The same without a bar, as long as it is.
std::string progress_text(const std::string& label, std::uint64_t done, std::uint64_t total,
                          double rate, const std::string& unit = {});

/// "1:05" or "2:00:10"
std::string time_text(double seconds);

/// "98.4 MB"
std::string size_text(std::uint64_t bytes);

}  // namespace litestage::app
