#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace litestage {

/// Byte offset of the first sequence that is not valid UTF-8 (overlong forms, surrogates and code
/// points past U+10FFFF are invalid); nothing when all of the text is valid.
std::optional<std::size_t> invalid_utf8_at(std::string_view text);

/// One line that is safe to show on a terminal: every control character (C0, DEL, C1) becomes a
/// space, every byte that is no UTF-8 becomes U+FFFD.
std::string displayable(std::string_view text);

/// Columns that text takes on a terminal: two for the wide characters of East Asia and pictures,
/// none for marks that stand on the character before them, one for any other character and for a
/// byte that is no UTF-8.
/// @param text as `displayable` makes it, without control characters
std::size_t display_width(std::string_view text);

/// The longest beginning, or end, of whole characters that takes at most so many columns; text as
/// above.
std::string_view first_columns(std::string_view text, std::size_t columns);
std::string_view last_columns(std::string_view text, std::size_t columns);

}  // namespace litestage
