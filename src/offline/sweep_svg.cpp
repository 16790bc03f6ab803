#include "offline/sweep_svg.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/binomial.h"
#include "base/chart_axis.h"
#include "base/svg_picture.h"
#include "offline/sweep_axis.h"

namespace litestage {
namespace {

// Lengths in the units of the view box.
constexpr double LEFT = 64;  // for the numbers of the axes
constexpr double RIGHT = 16;
constexpr double LEAST_WIDTH = 420;
constexpr double MOST_WIDTH = 1200;
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

/// ", 12 sublayers left out (2 attention) while writing"; nothing where there are none.
std::string left_out_words(const LeftOut& left_out) {
  if (left_out.sublayers == 0) return "";
  const std::string attention =
      left_out.attention > 0 ? fmt::format(" ({} attention)", left_out.attention) : "";
  return fmt::format(", {} sublayer{} left out{} while {}", left_out.sublayers,
                     left_out.sublayers == 1 ? "" : "s", attention,
                     !left_out.writing   ? "reading"
                     : !left_out.reading ? "writing"
                                         : "reading and writing");
}

class SweepDrawing {
 public:
  /// @param sweep by candidate
  SweepDrawing(const SearchFile& file, std::vector<SweepRecord> sweep, const std::string& id)
      : file_(file),
        sweep_(std::move(sweep)),
        settings_(swept_settings(file, sweep_)),
        axis_(sweep_axis(settings_, LEAST_WIDTH - LEFT - RIGHT, MOST_WIDTH - LEFT - RIGHT)),
        svg_(LEFT + axis_.width + RIGHT, HEIGHT,
             {id, "Accuracy and latency of the candidates of stage " + sweep_.front().stage,
              description()}) {}

  std::string draw() {
    draw_accuracy();
    draw_latency();
    draw_candidate_numbers();
    if (axis_.counts) draw_sublayer_numbers();
    return svg_.finish();
  }

 private:
  std::string description() const {
    std::string text =
        fmt::format("{} candidates{}; the table below has the numbers.", sweep_.size(),
                    axis_.counts ? " by number of sublayers left out" : "");
    for (std::size_t i = 0; i < sweep_.size(); ++i) {
      if (sweep_[i].verdict == Verdict::chosen) text += fmt::format(" {} was chosen.", name(i));
    }
    return text;
  }

  /// "Candidate 3 (decode -12 %, attention kept), 8 sublayers left out while writing"
  std::string name(std::size_t record) const {
    const auto stage =
        std::ranges::find(file_.stages, sweep_[record].stage, &StageCandidates::stage);
    const auto candidate = static_cast<std::size_t>(sweep_[record].candidate);
    return fmt::format("Candidate {} ({}){}", candidate, stage->candidates[candidate].label,
                       left_out_words(left_out(settings_[record])));
  }

  double right() const { return LEFT + axis_.width; }
  double x(std::size_t record) const { return LEFT + axis_.places[record]; }

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
      draw_mark(panel, i, bar,
                fmt::format("{}: {:.1f} % ({:.1f} to {:.1f}) of {} questions", name(i), bar.value,
                            bar.low, bar.high, sweep_[i].questions));
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
      draw_mark(
          panel, i, bar,
          fmt::format("{}: {:.1f} ms ({:.1f} to {:.1f})", name(i), bar.value, bar.low, bar.high));
    }
  }

  /// Title, horizontal grid and its numbers, from 0 to `most`.
  void draw_frame(const ChartAxis& panel, std::string_view title, double most) {
    svg_.text(LEFT, panel.end - 10, title, "");
    for (const double tick : panel.ticks()) {
      if (tick < 0 || tick > most) continue;
      const double y = panel.at(tick);
      svg_.line(LEFT, y, right(), y, "grid");
      svg_.text(LEFT - 8, y + 4, fmt::format("{:g}", tick), "tick", SvgPicture::Anchor::end);
    }
  }

  void draw_line(const ChartAxis& panel, double value, std::string_view classes) {
    svg_.line(LEFT, panel.at(value), right(), panel.at(value), classes);
  }

  void draw_mark(const ChartAxis& panel, std::size_t record, const Bar& bar,
                 const std::string& tooltip) {
    const double at = x(record);
    const double y = panel.at(bar.value);
    svg_.begin_group(mark_class(sweep_[record].verdict), tooltip);
    svg_.vertical_interval(at, panel.at(bar.low), panel.at(bar.high));
    draw_shape(at, y, left_out(settings_[record]));
    if (sweep_[record].verdict == Verdict::chosen) svg_.circle(at, y, 8.5, "ring");
    svg_.end_group();
  }

  /// A triangle leaves out while reading alone, a square while writing alone.
  void draw_shape(double at, double y, const LeftOut& left_out) {
    if (left_out.reading && !left_out.writing) {
      svg_.path(fmt::format("M{:.1f} {:.1f}l5 9h-10Z", at, y - 5.5), "mark");
    } else if (left_out.writing && !left_out.reading) {
      svg_.rect(at - 4, y - 4, 8, 8, "mark");
    } else {
      svg_.circle(at, y, 4.5, "mark");
    }
  }

  void draw_number(double at, double y, std::size_t number, bool strong) {
    svg_.text(at, y, std::to_string(number), strong ? "tick strong" : "tick",
              SvgPicture::Anchor::middle);
  }

  void draw_title_of_foot(std::string_view title) {
    svg_.text((LEFT + right()) / 2, HEIGHT - 6, title, "", SvgPicture::Anchor::middle);
  }

  /// At the foot or, where sublayers are counted there, between the charts.
  void draw_candidate_numbers() {
    const double y = (axis_.counts ? ACCURACY_TOP : LATENCY_TOP) + PANEL_HEIGHT + 18;
    for (std::size_t i = 0; i < sweep_.size(); ++i) {
      draw_number(x(i), y, static_cast<std::size_t>(sweep_[i].candidate),
                  sweep_[i].verdict == Verdict::chosen);
    }
    if (axis_.counts) {
      svg_.text(2, y, "candidate", "tick");
    } else {
      draw_title_of_foot("candidate");
    }
  }

  bool is_chosen(std::size_t sublayers) const {
    for (std::size_t i = 0; i < sweep_.size(); ++i) {
      if (sweep_[i].verdict == Verdict::chosen && left_out(settings_[i]).sublayers == sublayers)
        return true;
    }
    return false;
  }

  void draw_sublayer_numbers() {
    constexpr double ROOM = 18;  // that a number takes
    double free_from = 0;
    for (const SweepAxis::Tick& tick : axis_.ticks) {
      if (tick.at < free_from) continue;
      draw_number(LEFT + tick.at, LATENCY_TOP + PANEL_HEIGHT + 18, tick.sublayers,
                  is_chosen(tick.sublayers));
      free_from = tick.at + ROOM;
    }
    draw_title_of_foot("sublayers left out while reading or writing");
  }

  const SearchFile& file_;
  std::vector<SweepRecord> sweep_;       // by candidate
  std::vector<StageSettings> settings_;  // of each record's candidate
  SweepAxis axis_;
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
