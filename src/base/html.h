#pragma once

#include <string>
#include <string_view>

namespace litestage {

/// A text as it may stand in HTML or SVG, between tags and in quoted attributes; control characters
/// become spaces, bytes that are no UTF-8 become U+FFFD.
std::string html_escaped(std::string_view text);

}  // namespace litestage
