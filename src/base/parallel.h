#pragma once

#include <functional>

namespace litestage {

/// Calls `work` once with each of 0 .. count - 1, on up to `threads` threads, the caller's among
/// them; returns when all calls have. `work` must not throw.
void for_each_index(int count, int threads, const std::function<void(int)>& work);

}  // namespace litestage
