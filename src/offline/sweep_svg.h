#pragma once

#include <span>
#include <string>

#include "offline/search_json.h"

namespace litestage {

/// One stage's sweep as an inline SVG: accuracy above, latency below, against the number of
/// sublayers that the candidates leave out (sweep_axis.h). The mark's shape says whether they are
/// left out while reading, while writing or both. Colours are left to the page's classes.
/// @param sweep the records of one stage, at least one
/// @param id unique in the page, a plain word
std::string sweep_svg(const SearchFile& file, std::span<const SweepRecord> sweep,
                      const std::string& id);

}  // namespace litestage
