#pragma once

#include <string>

#include "offline/importance.h"

namespace litestage {

/// All heat maps of an importance as one page of HTML that needs nothing else: tables with coloured
/// cells whose titles say all that is known of the sublayer, for light and dark screens; wide
/// tables scroll.
std::string heat_map_html(const Importance& importance);

}  // namespace litestage
