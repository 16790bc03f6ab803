#pragma once

#include <string_view>

namespace litestage {

/// Version of this library, as "0.1.0".
std::string_view litestage_version();

}  // namespace litestage
