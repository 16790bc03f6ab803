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

}  // namespace litestage
