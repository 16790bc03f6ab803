#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "report/chart_rows.h"
#include "report/report_charts.h"
#include "report/report_tables.h"
#include "report/time_sources.h"

namespace litestage {
namespace {

/// One policy's shares, per cent of the full model's time.
struct Row {
  const ReportArm* arm;
  struct Part {
    const char* name;
    const char* classes;
    double percent;
  };
  std::array<Part, 4> parts;
  double saved;

  double left() const {
    return sum([](double part) { return std::min(part, 0.0); });
  }
  double right() const {
    return sum([](double part) { return std::max(part, 0.0); });
  }

 private:
  template <typename Function>
  double sum(Function&& kept) const {
    double total = 0;
    for (const Part& part : parts)
      total += kept(part.percent);
    return total;
  }
};

std::vector<Row> rows_of(const ReportGroup& group) {
  std::vector<Row> rows;
  const ReportArm* full = group.full();
  if (full == nullptr) return rows;
  for (const ReportArm& arm : group.arms) {
    if (&arm == full || !arm.summary.against_full) continue;
    const TimeSources sources = time_sources(*full, arm);
    rows.push_back({&arm,
                    {{{"faster a token", "series0", 100 * sources.per_token},
                      {"shorter texts", "series1", 100 * sources.length},
                      {"reading", "series2", 100 * sources.reading},
                      {"other", "series5", 100 * sources.other}}},
                    100 * sources.saved()});
  }
  return rows;
}

}  // namespace

std::string source_svg(const ReportGroup& group) {
  const std::vector<Row> rows = rows_of(group);
  if (rows.empty()) return "";
  double low = 0;
  double high = 5;  // a chart of nothing saved still has an axis
  for (const Row& row : rows) {
    low = std::min(low, row.left());
    high = std::max(high, row.right());
  }
  ChartRows chart({.rows = rows.size(),
                   .low = low * 1.04,
                   .high = high * 1.04,
                   .unit = "% of the full model's time saved"},
                  {group.id + "-sources", "Source of the speedup on " + group.name,
                   "A bar for each policy: what it saves of the full model's time by faster "
                   "tokens, shorter texts, "
                   "faster reading and the rest. The table below has the numbers."});
  for (const Row& row : rows) {
    chart.begin_row(row.arm->label, speedup_text(row.arm->summary.against_full->speedup));
    double left = 0;
    double right = 0;
    for (const Row::Part& part : row.parts) {
      double& end = part.percent < 0 ? left : right;
      chart.bar(end, end + part.percent, part.classes,
                fmt::format("{}: {:.1f} % {}", part.name, std::abs(part.percent),
                            part.percent < 0 ? "lost" : "saved"));
      end += part.percent;
    }
    chart.mark(row.saved);
  }
  return chart.finish();
}

}  // namespace litestage
