#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace litestage {

/// Byte offset of the first sequence that is not valid UTF-8 (overlong forms, surrogates and code
/// points past U+10FFFF are invalid); nothing when all of the text is valid.
std::optional<std::size_t> invalid_utf8_at(std::string_view text);

}  // namespace litestage
