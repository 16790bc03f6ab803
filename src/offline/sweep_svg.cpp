#include "offline/sweep_svg.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "base/binomial.h"
#include "base/html.h"

namespace litestage {
namespace {

// Lengths in the units of the view box.
constexpr double LEFT = 64;  // for the numbers of the axes
constexpr double RIGHT = 16;
constexpr double COLUMN = 56;
constexpr double LEAST_WIDTH = 420;
constexpr double PANEL_HEIGHT = 150;
constexpr double ACCURACY_TOP = 28;
constexpr double LATENCY_TOP = ACCURACY_TOP + PANEL_HEIGHT + 44;
constexpr double HEIGHT = LATENCY_TOP + PANEL_HEIGHT + 44;

/// A value with the ends of its interval.
struct Bar {
  double value = 0;
  double low = 0;
  double high = 0;
};

/// One of the two charts: where it lies and what it shows.
struct Panel {
  double top = 0;
  double low = 0;
  double high = 1;

  double y(double value) const { return top + PANEL_HEIGHT * (high - value) / (high - low); }
};

/// Bounds with some air around all of the values.
Panel panel_around(double top, const std::vector<double>& values) {
  const auto [low, high] = std::ranges::minmax(values);
  const double air = std::max({0.08 * (high - low), 0.01 * std::abs(high), 1e-6});
  return {top, low - air, high + air};
}

/// 1, 2 or 5 times a power of ten: the largest of which three fit into the range.
double nice_step(double range) {
  const double most = range / 3;
  const double power = std::pow(10, std::floor(std::log10(most)));
  for (const double factor : {5.0, 2.0}) {
    if (factor * power <= most) return factor * power;
  }
  return power;
}

Bar accuracy_bar(const SweepRecord& record) {
  const Interval interval = wilson_95(record.correct, record.questions);
  return {100.0 * record.correct / record.questions, 100 * interval.low, 100 * interval.high};
}

Bar latency_bar(const TimedChoice& time) {
  constexpr double Z = 1.96;
  return {time.ms, time.ms - Z * time.ms_error, time.ms + Z * time.ms_error};
}

/// The class that says how a record's marks look.
std::string_view mark_class(Verdict verdict) {
  switch (verdict) {
    case Verdict::chosen:
      return "chosen";
    case Verdict::slower:
      return "accepted";
    case Verdict::over_limit:
    case Verdict::raced_out:
    case Verdict::not_run:
      return "dropped";
  }
  assert(false);
  return "";
}

class SweepDrawing {
 public:
  SweepDrawing(const SearchFile& file, std::span<const SweepRecord> sweep)
      : file_(file),
        sweep_(sweep.begin(), sweep.end()),
        width_(std::max(LEAST_WIDTH, LEFT + RIGHT + COLUMN * static_cast<double>(sweep.size()))),
        spacing_((width_ - LEFT - RIGHT) / static_cast<double>(sweep.size())) {
    std::ranges::sort(sweep_, {}, &SweepRecord::candidate);
  }

  std::string draw(const std::string& id) {
    svg_ = fmt::format(
        "<svg viewBox=\"0 0 {:g} {:g}\" style=\"max-width:{:g}px\" role=\"img\" "
        "aria-labelledby=\"{}-title {}-desc\">\n<title id=\"{}-title\">Accuracy and latency of the "
        "candidates of stage {}</title>\n<desc id=\"{}-desc\">{}</desc>\n",
        width_, HEIGHT, 1.5 * width_, id, id, id, html_escaped(sweep_.front().stage), id,
        html_escaped(description()));
    draw_accuracy();
    draw_latency();
    draw_candidate_numbers();
    return svg_ + "</svg>\n";
  }

 private:
  std::string description() const {
    std::string text =
        fmt::format("{} candidates; the table below has the numbers.", sweep_.size());
    for (const SweepRecord& record : sweep_) {
      if (record.verdict == Verdict::chosen)
        text += fmt::format(" Candidate {} was chosen.", record.candidate);
    }
    return text;
  }

  double x(std::size_t column) const {
    return LEFT + spacing_ * (static_cast<double>(column) + 0.5);
  }

  double full_accuracy() const {
    const MeasuredAccuracy& accuracy = file_.result.accuracy;
    return accuracy.questions == 0 ? 0 : 100.0 * accuracy.full_correct / accuracy.questions;
  }

  void draw_accuracy() {
    const double limit = full_accuracy() - file_.options.max_loss;
    std::vector<double> values = {full_accuracy(), limit};
    for (const SweepRecord& record : sweep_) {
      if (record.questions == 0) continue;
      const Bar bar = accuracy_bar(record);
      values.insert(values.end(), {bar.low, bar.high});
    }
    const Panel panel = panel_around(ACCURACY_TOP, values);
    draw_frame(panel, "accuracy, %", 100);
    draw_line(panel, full_accuracy(), "full");
    draw_line(panel, limit, "limit");
    for (std::size_t i = 0; i < sweep_.size(); ++i) {
      if (sweep_[i].questions == 0) continue;
      const Bar bar = accuracy_bar(sweep_[i]);
      draw_mark(
          panel, i, bar,
          fmt::format("candidate {}: {:.1f} % ({:.1f} to {:.1f}) of {} questions",
                      sweep_[i].candidate, bar.value, bar.low, bar.high, sweep_[i].questions));
    }
  }

  void draw_latency() {
    std::vector<double> values = {file_.result.full_time.ms};
    for (const SweepRecord& record : sweep_) {
      if (!record.time) continue;
      const Bar bar = latency_bar(*record.time);
      values.insert(values.end(), {bar.low, bar.high});
    }
    const Panel panel = panel_around(LATENCY_TOP, values);
    draw_frame(panel, "milliseconds a question", std::numeric_limits<double>::infinity());
    draw_line(panel, file_.result.full_time.ms, "full");
    for (std::size_t i = 0; i < sweep_.size(); ++i) {
      if (!sweep_[i].time) continue;
      const Bar bar = latency_bar(*sweep_[i].time);
      draw_mark(panel, i, bar,
                fmt::format("candidate {}: {:.1f} ms ({:.1f} to {:.1f})", sweep_[i].candidate,
                            bar.value, bar.low, bar.high));
    }
  }

  /// Title, horizontal grid and its numbers, from 0 to `most`.
  void draw_frame(const Panel& panel, std::string_view title, double most) {
    svg_ += fmt::format("<text class=\"axis-title\" x=\"{:g}\" y=\"{:.1f}\">{}</text>\n", LEFT,
                        panel.top - 10, title);
    const double step = nice_step(panel.high - panel.low);
    for (long i = std::lround(std::ceil(panel.low / step));; ++i) {
      const double tick = static_cast<double>(i) * step;
      if (tick > std::min(panel.high, most)) break;
      if (i < 0) continue;
      const double y = panel.y(tick);
      svg_ += fmt::format(
          "<line class=\"grid\" x1=\"{:g}\" x2=\"{:g}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
          "<text class=\"tick\" text-anchor=\"end\" x=\"{:g}\" y=\"{:.1f}\">{:g}</text>\n",
          LEFT, width_ - RIGHT, y, y, LEFT - 8, y + 4, tick);
    }
  }

  void draw_line(const Panel& panel, double value, std::string_view name) {
    const double y = panel.y(value);
    svg_ +=
        fmt::format("<line class=\"{}\" x1=\"{:g}\" x2=\"{:g}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                    name, LEFT, width_ - RIGHT, y, y);
  }

  void draw_mark(const Panel& panel, std::size_t column, const Bar& bar,
                 const std::string& tooltip) {
    const double at = x(column);
    const double y = panel.y(bar.value);
    const bool chosen = sweep_[column].verdict == Verdict::chosen;
    svg_ += fmt::format(
        "<g class=\"{}\"><title>{}</title><path d=\"M{:.1f} {:.1f}V{:.1f}M{:.1f} {:.1f}h8M{:.1f} "
        "{:.1f}h8\"/><circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\"/>",
        mark_class(sweep_[column].verdict), html_escaped(tooltip), at, panel.y(bar.low),
        panel.y(bar.high), at - 4, panel.y(bar.low), at - 4, panel.y(bar.high), at, y);
    if (chosen)
      svg_ += fmt::format(R"(<circle class="ring" cx="{:.1f}" cy="{:.1f}" r="8.5"/>)", at, y);
    svg_ += "</g>\n";
  }

  void draw_candidate_numbers() {
    for (std::size_t i = 0; i < sweep_.size(); ++i) {
      const bool chosen = sweep_[i].verdict == Verdict::chosen;
      svg_ += fmt::format(
          "<text class=\"tick{}\" text-anchor=\"middle\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
          chosen ? " strong" : "", x(i), LATENCY_TOP + PANEL_HEIGHT + 18, sweep_[i].candidate);
    }
    svg_ += fmt::format(
        "<text class=\"axis-title\" text-anchor=\"middle\" x=\"{:.1f}\" y=\"{:.1f}\">candidate"
        "</text>\n",
        (LEFT + width_ - RIGHT) / 2, HEIGHT - 6);
  }

  const SearchFile& file_;
  std::vector<SweepRecord> sweep_;  // by candidate
  double width_;
  double spacing_;  // of columns
  std::string svg_;
};

}  // namespace

std::string sweep_svg(const SearchFile& file, std::span<const SweepRecord> sweep,
                      const std::string& id) {
  assert(!sweep.empty());
  return SweepDrawing(file, sweep).draw(id);
}

}  // namespace litestage
