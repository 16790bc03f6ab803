#include <algorithm>

#include <fmt/format.h>

#include "base/chart_axis.h"
#include "base/svg_picture.h"
#include "report/chart_rows.h"
#include "report/label_placement.h"
#include "report/report_charts.h"
#include "report/report_tables.h"

namespace litestage {
namespace {

// Lengths in the units of the view box.
constexpr double PLOT_WIDTH = 640;
constexpr double PLOT_HEIGHT = 400;
constexpr double PLOT_LEFT = 52;
constexpr double PLOT_RIGHT = 14;
constexpr double PLOT_TOP = 30;
constexpr double PLOT_BOTTOM = 46;
constexpr double RADIUS = 5.5;
constexpr double CHARACTER = 7.6;  // of a name, in the widest of the usual fonts
constexpr double LINE = 15;

class ScatterDrawing {
 public:
  explicit ScatterDrawing(const ReportGroup& group)
      : group_(group),
        front_(pareto_front(group)),
        x_(axis_of(&ScatterDrawing::time_range, PLOT_LEFT, PLOT_WIDTH - PLOT_RIGHT)),
        y_(axis_of(&ScatterDrawing::accuracy_range, PLOT_HEIGHT - PLOT_BOTTOM, PLOT_TOP)),
        svg_(PLOT_WIDTH, PLOT_HEIGHT,
             {group.id + "-scatter", "Accuracy against latency on " + group.name,
              fmt::format(
                  "{} policies; on the front, from the fastest: {}. The tables below have the "
                  "numbers.",
                  group.arms.size(), front_names())}) {}

  std::string draw() {
    draw_axes();
    draw_front();
    for (const ReportArm& arm : group_.arms)
      draw_mark(arm);
    draw_names();
    return svg_.finish();
  }

 private:
  static Interval time_range(const ArmSummary& summary) { return summary.mean_ms_95; }
  static Interval accuracy_range(const ArmSummary& summary) {
    return {100 * summary.accuracy_95.low, 100 * summary.accuracy_95.high};
  }

  ChartAxis axis_of(Interval (*range)(const ArmSummary&), double begin, double end) const {
    std::vector<double> values;
    for (const ReportArm& arm : group_.arms) {
      const Interval interval = range(arm.summary);
      values.insert(values.end(), {interval.low, interval.high});
    }
    return axis_around(values, begin, end);
  }

  std::string front_names() const {
    std::string names;
    for (const ReportArm* arm : front_)
      names += (names.empty() ? "" : ", ") + arm->label;
    return names;
  }

  double x(const ReportArm& arm) const { return x_.at(arm.summary.mean_ms); }
  double y(const ReportArm& arm) const { return y_.at(100 * arm.summary.accuracy); }

  std::string_view class_of(const ReportArm& arm) const {
    if (&arm == group_.full()) return "mark-full";
    return std::ranges::find(front_, &arm) == front_.end() ? "mark-beaten" : "mark-front";
  }

  void draw_axes() {
    svg_.text(0, PLOT_TOP - 14, "right, %", "tick");
    for (const double tick : y_.ticks()) {
      if (tick < 0 || tick > 100) continue;
      svg_.line(PLOT_LEFT, y_.at(tick), PLOT_WIDTH - PLOT_RIGHT, y_.at(tick), "grid");
      svg_.text(PLOT_LEFT - 8, y_.at(tick) + 4, fmt::format("{:g}", tick), "tick",
                SvgPicture::Anchor::end);
    }
    for (const double tick : x_.ticks()) {
      if (tick < 0) continue;
      svg_.line(x_.at(tick), PLOT_TOP, x_.at(tick), PLOT_HEIGHT - PLOT_BOTTOM, "grid");
      svg_.text(x_.at(tick), PLOT_HEIGHT - PLOT_BOTTOM + 18, fmt::format("{:g}", tick), "tick",
                SvgPicture::Anchor::middle);
    }
    svg_.text((PLOT_LEFT + PLOT_WIDTH - PLOT_RIGHT) / 2, PLOT_HEIGHT - 8, "milliseconds a question",
              "tick", SvgPicture::Anchor::middle);
  }

  /// Steps: what the best policy within a time limit reaches, for every limit.
  void draw_front() {
    std::string path;
    for (const ReportArm* arm : front_) {
      path += path.empty() ? fmt::format("M{:.1f} {:.1f}", x(*arm), y(*arm))
                           : fmt::format("H{:.1f}V{:.1f}", x(*arm), y(*arm));
    }
    svg_.path(path + fmt::format("H{:g}", PLOT_WIDTH - PLOT_RIGHT), "front");
  }

  void draw_mark(const ReportArm& arm) {
    const ArmSummary& summary = arm.summary;
    const Interval times = time_range(summary);
    const Interval accuracies = accuracy_range(summary);
    svg_.begin_group(class_of(arm),
                     fmt::format("{}: {}, {} ms", arm.label,
                                 accuracy_text(summary.accuracy, summary.accuracy_95),
                                 milliseconds_text(summary.mean_ms)));
    svg_.vertical_interval(x(arm), y_.at(accuracies.low), y_.at(accuracies.high));
    svg_.horizontal_interval(x_.at(times.low), x_.at(times.high), y(arm));
    svg_.circle(x(arm), y(arm), RADIUS);
    svg_.end_group();
  }

  void draw_names() {
    LabelPlacement placement({PLOT_LEFT, PLOT_TOP - 10, PLOT_WIDTH - 2, PLOT_HEIGHT - PLOT_BOTTOM});
    for (const ReportArm& arm : group_.arms) {
      const Interval times = time_range(arm.summary);
      const Interval accuracies = accuracy_range(arm.summary);
      placement.avoid({x(arm) - RADIUS, y(arm) - RADIUS, x(arm) + RADIUS, y(arm) + RADIUS}, 6);
      placement.avoid({x(arm) - 2, y_.at(accuracies.high), x(arm) + 2, y_.at(accuracies.low)}, 1.5);
      placement.avoid({x_.at(times.low), y(arm) - 2, x_.at(times.high), y(arm) + 2}, 1.5);
    }
    for (const ReportArm& arm : group_.arms) {
      const std::string name = short_label(arm.label);
      const double width = CHARACTER * static_cast<double>(name.size());
      const Box box = placement.place(x(arm), y(arm), width, LINE);
      const bool is_left = box.right <= x(arm);
      const bool is_right = box.left >= x(arm);
      const double middle = (box.top + box.bottom) / 2;
      const double anchor = is_left ? box.right : is_right ? box.left : (box.left + box.right) / 2;
      constexpr double NEAR = LINE;
      if (std::abs(middle - y(arm)) > NEAR) {
        const double edge = is_left || is_right ? middle : middle < y(arm) ? box.bottom : box.top;
        svg_.line(x(arm), y(arm), anchor, edge, "leader");
      }
      svg_.text(anchor, middle + 4.5, name,
                &arm == group_.full() ? "name halo strong-full" : "name halo",
                is_left    ? SvgPicture::Anchor::end
                : is_right ? SvgPicture::Anchor::start
                           : SvgPicture::Anchor::middle);
    }
  }

  const ReportGroup& group_;
  std::vector<const ReportArm*> front_;
  ChartAxis x_;
  ChartAxis y_;
  SvgPicture svg_;
};

}  // namespace

std::vector<const ReportArm*> pareto_front(const ReportGroup& group) {
  std::vector<const ReportArm*> arms;
  for (const ReportArm& arm : group.arms)
    arms.push_back(&arm);
  std::ranges::stable_sort(arms, [](const ReportArm* left, const ReportArm* right) {
    if (left->summary.mean_ms != right->summary.mean_ms)
      return left->summary.mean_ms < right->summary.mean_ms;
    return left->summary.accuracy > right->summary.accuracy;
  });
  std::vector<const ReportArm*> front;
  for (const ReportArm* arm : arms) {
    if (front.empty() || arm->summary.accuracy > front.back()->summary.accuracy)
      front.push_back(arm);
  }
  return front;
}

std::string scatter_svg(const ReportGroup& group) {
  return ScatterDrawing(group).draw();
}

}  // namespace litestage
