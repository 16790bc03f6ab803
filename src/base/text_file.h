#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace litestage {

/// The whole of a file, without a byte order mark.
/// @throws UserError when it is missing, a folder, or cannot be read
std::string read_text_file(const std::string& path);

/// Puts a text in a file's place in one step: whoever reads the path finds the old file or the
/// whole new one.
/// @throws UserError when it cannot be written; the old file is then as it was
void write_text_file(const std::string& path, std::string_view text);

/// A place in a text as people count it: both from 1, columns in characters.
struct TextPosition {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// The place of a byte offset; `start` is the place of the text's first byte.
TextPosition position_at(std::string_view text, std::size_t offset, TextPosition start = {});

/// "file:line:column", as compilers and editors write it.
std::string located(const std::string& file, TextPosition position);

/// "file:line"
std::string located(const std::string& file, std::size_t line);

/// The text without blanks and line ends at either side.
std::string_view trimmed(std::string_view text);

}  // namespace litestage
