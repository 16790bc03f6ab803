#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace litestage::app {

/// A text as lines of at most so many columns of a terminal: broken at spaces, inside a word where
/// it is longer than a line, and where the text has line ends of its own. Control characters become
/// spaces; no line ends with one.
/// @param width at least 2, the columns of the widest character
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

/// A piece of a column's text that begins on a line of its own.
struct ColumnPart {
  std::string text;
  const char* style = "";  ///< escape sequence before each of its lines; may be empty
};

/// Two columns of equal width with a line between them.
/// @param width columns of the terminal that both may take, at least 7
/// @param off escape sequence that ends a style
/// @return as many lines as the longer column has
std::vector<std::string> two_columns(std::span<const ColumnPart> left,
                                     std::span<const ColumnPart> right, std::size_t width,
                                     const char* off = "");

}  // namespace litestage::app
