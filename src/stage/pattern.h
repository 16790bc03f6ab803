#pragma once

#include <regex>
#include <string>
#include <string_view>

namespace litestage {

/// What keeps a text from being a pattern, as an ECMAScript regular expression without back
/// references; empty when nothing does.
std::string pattern_fault(const std::string& pattern);

/// A pattern without a fault, compiled once for many texts.
class Pattern {
 public:
  explicit Pattern(const std::string& pattern);

  /// What the first group of the first match captures, or else the match, as a part of `text`;
  /// empty without a match. Of a very long text only the end is searched.
  std::string_view first_match(std::string_view text) const;

 private:
  std::regex regex_;
};

}  // namespace litestage
