#pragma once

#include <string>

#include "offline/search_json.h"

namespace litestage {

/// A search as one HTML page that needs nothing beside itself: what was chosen and at what loss,
/// and for each stage's sweep a chart (accuracy and latency of every candidate, with 95 %
/// intervals) over a table of the same numbers. Follows the reader's light or dark scheme.
std::string search_report_html(const SearchFile& file);

}  // namespace litestage
