#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "report/chart_rows.h"
#include "report/report_charts.h"
#include "report/report_tables.h"

namespace litestage {

std::string length_svg(const ReportGroup& group, std::size_t stage) {
  const std::string name = stage_names(group)[stage];
  struct Row {
    const ReportArm* arm;
    TextLength length;
  };
  std::vector<Row> rows;
  double high = 1;
  for (const ReportArm& arm : group.arms) {
    if (std::ranges::find(arm.summary.stages, name, &StageTimes::stage) == arm.summary.stages.end())
      continue;
    rows.push_back({&arm, text_length(group, arm, name)});
    high = std::max(high, rows.back().length.tokens_95.high);
  }
  const bool is_silent =
      std::ranges::all_of(rows, [](const Row& row) { return row.length.tokens == 0; });
  if (is_silent) return "";
  ChartRows chart(
      {.rows = rows.size(), .width = 360, .high = high * 1.04, .unit = "tokens a question"},
      {fmt::format("{}-length{}", group.id, stage), "Text lengths of stage " + name,
       "A bar for each policy with its 95 % interval; the dashed line is the full model. "
       "The table below has the numbers."});
  for (const Row& row : rows) {
    chart.begin_row(row.arm->label, fmt::format("{:.1f}", row.length.tokens));
    chart.bar(0, row.length.tokens, stage_class(stage),
              fmt::format("{:.1f} ({:.1f} to {:.1f}) tokens", row.length.tokens,
                          row.length.tokens_95.low, row.length.tokens_95.high));
    chart.interval(row.length.tokens_95.low, row.length.tokens_95.high);
  }
  if (!rows.empty() && rows.front().arm == group.full())
    chart.reference(rows.front().length.tokens);
  return chart.finish();
}

}  // namespace litestage
