#pragma once

#include <string>
#include <string_view>

#include "offline/importance.h"

namespace litestage {

/// What a page with heat maps needs beyond PAGE_CSS.
extern const std::string_view HEAT_MAP_CSS;

/// What an importance was measured on, its stages, and all of its heat maps: tables with coloured
/// cells whose titles say all that is known of the sublayer; wide tables scroll.
/// @param heading level of the maps' headings: 2 for <h2>
std::string heat_map_fragment(const Importance& importance, int heading);

/// The same as a page of its own.
std::string heat_map_html(const Importance& importance);

}  // namespace litestage
