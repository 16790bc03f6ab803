#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace litestage {

/// The whole of a text as a number of digits alone; nothing when it is none or above `high`.
std::optional<std::uint32_t> whole_number(std::string_view text, std::uint32_t high);

/// The whole of a text as a finite number in plain decimal form ("12.5"); nothing when it is none.
std::optional<double> decimal_number(std::string_view text);

}  // namespace litestage
