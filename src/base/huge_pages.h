#pragma once

#include <cstddef>

namespace litestage {

/// Asks for huge pages behind memory that was not touched yet: what is read from end to end at
/// every step costs fewer page walks. Advice: where it cannot be followed nothing happens.
/// @param bytes from begin on; only whole pages within are advised
void prefer_huge_pages(void* begin, std::size_t bytes);

}  // namespace litestage
