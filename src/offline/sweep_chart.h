#pragma once

#include <string>
#include <string_view>

#include "offline/search_json.h"

namespace litestage {

/// What a page with a search needs beyond PAGE_CSS.
extern const std::string_view SWEEP_CSS;

/// What a search has chosen and at what loss, and for each stage's sweep a chart (accuracy and
/// latency of every candidate, with 95 % intervals, against the sublayers it leaves out) over a
/// table of the same numbers.
/// @param heading level of the sweeps' headings: 2 for <h2>
/// @param id begins the ids of its charts; a plain word, another one for each search in a page
std::string search_fragment(const SearchFile& file, int heading, const std::string& id);

/// The same as a page of its own.
std::string search_report_html(const SearchFile& file);

}  // namespace litestage
