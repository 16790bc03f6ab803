#pragma once

#include <cstdint>

namespace litestage::test {

/// Calls of operator new so far, of any form and by any thread; those of shared libraries count
/// too. What calls malloc itself does not.
std::int64_t allocation_count();

}  // namespace litestage::test
