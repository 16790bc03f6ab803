#pragma once

#include <string>
#include <vector>

#include "report/report_data.h"

namespace litestage {

/// What was evaluated on what, as term and description; nothing in it is escaped.
struct ReportFact {
  std::string term;
  std::string text;
};
std::vector<ReportFact> report_facts(const ReportInput& input,
                                     const std::vector<ReportGroup>& groups);

}  // namespace litestage
