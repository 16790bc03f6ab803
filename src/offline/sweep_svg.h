#pragma once

#include <span>
#include <string>

#include "offline/search_json.h"

namespace litestage {

/// One stage's sweep as an inline SVG: accuracy above, latency below, a column for each candidate
/// in the order of their numbers. Colours are left to the page's classes.
/// @param sweep the records of one stage, at least one
/// @param id unique in the page, a plain word
std::string sweep_svg(const SearchFile& file, std::span<const SweepRecord> sweep,
                      const std::string& id);

}  // namespace litestage
