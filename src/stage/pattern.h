#pragma once

#include <string>
#include <string_view>

namespace litestage {

/// What keeps a text from being a pattern, as an ECMAScript regular expression without back
/// references; empty when nothing does.
std::string pattern_fault(const std::string& pattern);

/// What the first group of a pattern's first match captures, or else the match; empty without a
/// match. Of a very long text only the end is searched.
std::string first_match(const std::string& pattern, std::string_view text);

}  // namespace litestage
