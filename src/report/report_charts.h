#pragma once

#include <string>

#include "report/report_data.h"

namespace litestage {

// Charts of a group as inline SVG. Colours are left to classes of report.css; the numbers stand in
// report_tables.h too.

/// Accuracy against latency: a mark for each policy with its 95 % intervals, and the front of those
/// that no other one beats in both.
std::string scatter_svg(const ReportGroup& group);

/// A bar for each policy: the shares of the full model's time that each source saves, costs to the
/// left of zero. Empty when there is nothing to compare.
std::string source_svg(const ReportGroup& group);

/// A bar for each policy: the time of a question, stage by stage, reading and writing apart.
std::string stage_time_svg(const ReportGroup& group);

/// A bar for each policy: the tokens it writes in one stage, with 95 % intervals. Empty when nobody
/// writes there.
/// @param stage number among `stage_names(group)`
std::string length_svg(const ReportGroup& group, std::size_t stage);

/// The class that colours a stage.
std::string stage_class(std::size_t stage);

/// The arms of which no other one is both faster and at least as accurate, the fastest first.
std::vector<const ReportArm*> pareto_front(const ReportGroup& group);

}  // namespace litestage
