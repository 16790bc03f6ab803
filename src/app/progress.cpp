#include "app/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "app/terminal.h"
#include "base/utf8.h"

namespace litestage::app {
namespace {

constexpr auto BETWEEN_DRAWS = std::chrono::milliseconds(100);
constexpr auto RATE_WINDOW = std::chrono::seconds(5);
// Things that are counted one by one take longer than a chunk of bytes.
constexpr auto COUNT_WINDOW = std::chrono::seconds(120);
constexpr int MAX_BAR = 30;

/// "1.0 MB of 2.0 MB", "3 of 20 questions"
std::string amount_text(std::uint64_t done, std::uint64_t total, const std::string& unit) {
  if (!unit.empty())
    return total > 0 ? fmt::format("{} of {} {}", done, total, unit)
                     : fmt::format("{} {}", done, unit);
  return total > 0 ? size_text(done) + " of " + size_text(total) : size_text(done);
}

double share_of(std::uint64_t done, std::uint64_t total) {
  return std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
}

/// " 25%  50.0 MB of 200.0 MB, 2.5 MB/s, 1:00 left (and what is behind it)"
std::string facts_text(std::uint64_t done, std::uint64_t total, double rate,
                       const std::string& unit, const std::string& behind) {
  std::string facts;
  if (total > 0) facts = fmt::format("{:3}%  ", static_cast<int>(share_of(done, total) * 100));
  facts += amount_text(done, total, unit);
  if (rate > 0) {
    if (unit.empty()) facts += fmt::format(", {}/s", size_text(static_cast<std::uint64_t>(rate)));
    if (total > done)
      facts += fmt::format(", {} left", time_text(static_cast<double>(total - done) / rate));
  }
  return behind.empty() ? facts : fmt::format("{} ({})", facts, behind);
}

}  // namespace

std::string time_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::min(seconds + 0.5, 359'999.0));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string size_text(std::uint64_t bytes) {
  constexpr double MEGA = 1e6;
  const auto value = static_cast<double>(bytes);
  if (value >= 999.95 * MEGA) return fmt::format("{:.2f} GB", value / (1000 * MEGA));
  return fmt::format("{:.1f} MB", value / MEGA);
}

std::string progress_title(const std::string& label, const std::string& note, std::size_t columns) {
  constexpr std::size_t LEAST_LABEL = 20;
  constexpr std::string_view CUT = "...";
  const std::string end = note.empty() ? "" : " · " + note;
  const std::size_t room = std::max(columns - std::min(columns, display_width(end)), LEAST_LABEL);
  if (display_width(label) <= room) return label + end;
  return std::string(first_columns(label, room - CUT.size())).append(CUT) + end;
}

std::string progress_line(const std::string& title, std::uint64_t done, std::uint64_t total,
                          double rate, int width, const std::string& unit,
                          const std::string& behind) {
  const std::string facts = facts_text(done, total, rate, unit, behind);
  std::string line = title + " ";
  if (total > 0) {
    const int room = width - 1 - static_cast<int>(display_width(line) + display_width(facts) + 3);
    if (const int columns = std::min(room, MAX_BAR); columns >= 5) {
      const auto full = static_cast<int>(share_of(done, total) * columns);
      line += "[" + std::string(static_cast<std::size_t>(full), '#') +
              std::string(static_cast<std::size_t>(columns - full), '.') + "] ";
    }
  }
  line += facts;
  // The last column stays free: some terminals go to the next line when it is filled.
  return std::string(first_columns(line, static_cast<std::size_t>(std::max(width - 1, 0))));
}

std::string progress_text(const std::string& title, std::uint64_t done, std::uint64_t total,
                          double rate, const std::string& unit, const std::string& behind) {
  return title + " " + facts_text(done, total, rate, unit, behind);
}

ProgressBar::ProgressBar(std::FILE* stream)
    : stream_(stream),
      redraws_(can_redraw(stream)),
      coloured_(may_colour(stream)),
      pace_(Clock::now()) {}

ProgressBar::~ProgressBar() {
  wipe();
}

void ProgressBar::wipe() {
  if (drawn_) std::fputs("\r\x1b[K", stream_);
  std::fflush(stream_);
  drawn_ = false;
  pace_.written(Clock::now());
}

void ProgressBar::show(const std::string& label, std::uint64_t done, std::uint64_t total,
                       const std::string& unit, const ProgressNote& note) {
  const auto now = Clock::now();
  if (label != label_) {
    label_ = label;
    samples_.clear();
    last_draw_ = {};
    pace_.begin();
  }
  if (now - last_draw_ < BETWEEN_DRAWS && done != total) return;
  last_draw_ = now;
  const Clock::duration window = unit.empty() ? Clock::duration(RATE_WINDOW) : COUNT_WINDOW;
  double speed = rate(now, done, window);
  if (note.seconds_left) {
    const bool known = *note.seconds_left > 0 && total > done;
    speed = known ? static_cast<double>(total - done) / *note.seconds_left : 0;
  }
  const std::string facts = progress_text("", done, total, speed, unit, note.behind);
  if (redraws_) {
    const auto width = static_cast<std::size_t>(terminal_width(stream_));
    const std::size_t taken = display_width(facts) + 1;
    const std::string title = progress_title(label, note.text, width - std::min(width, taken));
    const std::string line =
        progress_line(title, done, total, speed, static_cast<int>(width), unit, note.behind);
    std::fprintf(stream_, coloured_ ? "\r\x1b[36m%s\x1b[0m\x1b[K" : "\r%s\x1b[K", line.c_str());
    drawn_ = true;
  } else if (pace_.due(now, done, total)) {
    const std::string title = note.text.empty() ? label : label + " · " + note.text;
    std::fprintf(stream_, "%s%s\n", title.c_str(), facts.c_str());
  }
  std::fflush(stream_);
}

double ProgressBar::rate(Clock::time_point now, std::uint64_t done, Clock::duration window) {
  // A download that started over goes back: what was measured before says nothing any more.
  if (!samples_.empty() && done < samples_.back().second) samples_.clear();
  samples_.emplace_back(now, done);
  while (samples_.size() > 2 && now - samples_.front().first > window)
    samples_.pop_front();
  const std::chrono::duration<double> span = now - samples_.front().first;
  if (span.count() < 0.5) return 0;
  return static_cast<double>(done - samples_.front().second) / span.count();
}

}  // namespace litestage::app
