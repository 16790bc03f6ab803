#include "offline/sweep_svg.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/binomial.h"
#include "base/chart_axis.h"
#include "base/svg_picture.h"

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

/// One of the two charts, drawn above each other.
ChartAxis panel_around(double top, const std::vector<double>& values) {
  return axis_around(values, top + PANEL_HEIGHT, top);
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
    case Verdict::refuted:
      return "dropped";
  }
  assert(false);
  return "";
}

class SweepDrawing {
 public:
  /// @param sweep by candidate
  SweepDrawing(const SearchFile& file, std::vector<SweepRecord> sweep, const std::string& id)
      : file_(file),
        sweep_(std::move(sweep)),
        width_(std::max(LEAST_WIDTH, LEFT + RIGHT + COLUMN * static_cast<double>(sweep_.size()))),
        spacing_((width_ - LEFT - RIGHT) / static_cast<double>(sweep_.size())),
        svg_(width_, HEIGHT,
             {id, "Accuracy and latency of the candidates of stage " + sweep_.front().stage,
              description()}) {}

  std::string draw() {
    draw_accuracy();
    draw_latency();
    draw_candidate_numbers();
    return svg_.finish();
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
    const ChartAxis panel = panel_around(ACCURACY_TOP, values);
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
    const ChartAxis panel = panel_around(LATENCY_TOP, values);
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
  void draw_frame(const ChartAxis& panel, std::string_view title, double most) {
    svg_.text(LEFT, panel.end - 10, title, "");
    for (const double tick : panel.ticks()) {
      if (tick < 0 || tick > most) continue;
      const double y = panel.at(tick);
      svg_.line(LEFT, y, width_ - RIGHT, y, "grid");
      svg_.text(LEFT - 8, y + 4, fmt::format("{:g}", tick), "tick", SvgPicture::Anchor::end);
    }
  }

  void draw_line(const ChartAxis& panel, double value, std::string_view classes) {
    svg_.line(LEFT, panel.at(value), width_ - RIGHT, panel.at(value), classes);
  }

  void draw_mark(const ChartAxis& panel, std::size_t column, const Bar& bar,
                 const std::string& tooltip) {
    const double at = x(column);
    const double y = panel.at(bar.value);
    svg_.begin_group(mark_class(sweep_[column].verdict), tooltip);
    svg_.vertical_interval(at, panel.at(bar.low), panel.at(bar.high));
    svg_.circle(at, y, 4.5);
    if (sweep_[column].verdict == Verdict::chosen) svg_.circle(at, y, 8.5, "ring");
    svg_.end_group();
  }

  void draw_candidate_numbers() {
    for (std::size_t i = 0; i < sweep_.size(); ++i) {
      const bool chosen = sweep_[i].verdict == Verdict::chosen;
      svg_.text(x(i), LATENCY_TOP + PANEL_HEIGHT + 18, std::to_string(sweep_[i].candidate),
                chosen ? "tick strong" : "tick", SvgPicture::Anchor::middle);
    }
    svg_.text((LEFT + width_ - RIGHT) / 2, HEIGHT - 6, "candidate", "", SvgPicture::Anchor::middle);
  }

  const SearchFile& file_;
  std::vector<SweepRecord> sweep_;  // by candidate
  double width_;
  double spacing_;  // of columns
  SvgPicture svg_;
};

}  // namespace

std::string sweep_svg(const SearchFile& file, std::span<const SweepRecord> sweep,
                      const std::string& id) {
  assert(!sweep.empty());
  std::vector<SweepRecord> ordered(sweep.begin(), sweep.end());
  std::ranges::sort(ordered, {}, &SweepRecord::candidate);
  return SweepDrawing(file, std::move(ordered), id).draw();
}

}  // namespace litestage
