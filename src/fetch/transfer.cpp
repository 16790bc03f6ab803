#include "fetch/transfer.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

namespace litestage::fetch {

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array UNITS = {"kB", "MB", "GB", "TB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1000.0;
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < UNITS.size(); ++unit)
    value /= 1000.0;
  return fmt::format("{:.1f} {}", value, UNITS[unit]);
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace litestage::fetch
