#include <algorithm>

#include <fmt/format.h>

#include "report/chart_rows.h"
#include "report/report_charts.h"
#include "report/report_tables.h"

namespace litestage {

std::string stage_class(std::size_t stage) {
  constexpr std::size_t COLOURS = 5;  // series0 to series4; series5 is for what is no stage
  return fmt::format("series{}", stage % COLOURS);
}

std::string stage_time_svg(const ReportGroup& group) {
  const std::vector<std::string> names = stage_names(group);
  double high = 1e-3;
  for (const ReportArm& arm : group.arms)
    high = std::max(high, arm.summary.mean_ms);
  ChartRows chart(
      {.rows = group.arms.size(), .high = high * 1.04, .unit = "milliseconds a question"},
      {group.id + "-stages", "Time of the stages on " + group.name,
       "A bar for each policy, stage after stage, reading lighter than writing. The table "
       "below has the numbers."});
  for (const ReportArm& arm : group.arms) {
    chart.begin_row(arm.label, milliseconds_text(arm.summary.mean_ms) + " ms");
    double end = 0;
    const auto add = [&](const std::string& what, double ms, const std::string& classes) {
      if (ms <= 0) return;
      chart.bar(end, end + ms, classes, fmt::format("{}: {} ms", what, milliseconds_text(ms)));
      end += ms;
    };
    for (const StageTimes& stage : arm.summary.stages) {
      const auto number =
          static_cast<std::size_t>(std::ranges::find(names, stage.stage) - names.begin());
      add(stage.stage + ", reading", stage.prefill_ms, stage_class(number) + " reading");
      add(stage.stage + ", writing", stage.decode_ms, stage_class(number));
    }
    add("neither", arm.summary.overhead_ms, "series5");
  }
  return chart.finish();
}

}  // namespace litestage
