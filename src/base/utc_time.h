#pragma once

#include <string>

namespace litestage {

/// Now, as ISO 8601 in UTC: "2026-01-31T12:00:00Z".
std::string utc_now();

}  // namespace litestage
