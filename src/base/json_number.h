#pragma once

#include <cmath>
#include <nlohmann/json.hpp>

namespace litestage {

/// A number; null, which JSON has in their place, for infinity and NaN.
inline nlohmann::ordered_json number_or_null(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

}  // namespace litestage
