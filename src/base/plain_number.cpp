#include "base/plain_number.h"

#include <charconv>

namespace litestage {

std::optional<std::uint32_t> whole_number(std::string_view text, std::uint32_t high) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > high) return std::nullopt;
  return value;
}

std::optional<double> decimal_number(std::string_view text) {
  // from_chars knows "inf" and "nan" too.
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos)
    return std::nullopt;
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace litestage
