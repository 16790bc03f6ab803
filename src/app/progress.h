#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "app/progress_pace.h"

namespace litestage::app {

/// What a bar says beside what is done.
struct ProgressNote {
  std::string text = {};  ///< behind the label; may change as the work goes on
  /// Where the caller knows better than by the rate; 0: nobody knows yet.
  std::optional<double> seconds_left = std::nullopt;
  std::string behind = {};  ///< behind the time left, in brackets
};

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
  void show(const std::string& label, std::uint64_t done, std::uint64_t total,
            const std::string& unit = {}, const ProgressNote& note = {});
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

/// Label and note, the label cut where both take more columns than that: what changes stays to be
/// seen. Something of the label stays too.
std::string progress_title(const std::string& label, const std::string& note, std::size_t columns);

/// The bar's text for a line of `width` columns.
/// @param rate bytes or units a second; 0 when not known yet
/// @param unit empty: bytes
/// @param behind in brackets at the end; empty: none
std::string progress_line(const std::string& title, std::uint64_t done, std::uint64_t total,
                          double rate, int width, const std::string& unit = {},
                          const std::string& behind = {});

/// The same without a bar, as long as it is.
std::string progress_text(const std::string& title, std::uint64_t done, std::uint64_t total,
                          double rate, const std::string& unit = {},
                          const std::string& behind = {});

/// "1:05" or "2:00:10"
std::string time_text(double seconds);

/// "98.4 MB"
std::string size_text(std::uint64_t bytes);

}  // namespace litestage::app
