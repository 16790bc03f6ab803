#pragma once

namespace litestage::app {

/// Bytes a second that `threads` threads together read from memory: the best of several passes over
/// a buffer larger than the usual caches (1 GiB, less where little memory is left). Decoding cannot
/// read weights faster than this, except for what the last-level cache happens to keep of them.
double measure_memory_bandwidth(int threads);

}  // namespace litestage::app
