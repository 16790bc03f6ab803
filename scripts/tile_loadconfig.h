// Included before every C++ file of ggml by scripts/dependencies.sh.
//
// g++ 12.2 takes _tile_loadconfig for a read of 8 bytes where the instruction reads 64, so it drops
// what ggml writes behind them, and the first product of matrices on a CPU with AMX ends in SIGSEGV
// or SIGILL. Where a compiler knows better this says the same.
#pragma once

#if defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

static inline void litestage_tile_loadconfig(const void* config) {
  __asm__ volatile("ldtilecfg\t%0" ::"m"(*static_cast<const char(*)[64]>(config)));
}
#define _tile_loadconfig litestage_tile_loadconfig
#endif
