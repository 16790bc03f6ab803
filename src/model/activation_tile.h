#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace litestage {

/// Tokens that a panel of weights is multiplied with at a time: their sums stay in registers.
constexpr int TILE_TOKENS = 6;

/// How activations are rounded to eight bits for weights of some type.
enum class ActivationFormat : std::uint8_t {
  blocks_of_256,  ///< ggml's Q8_K: for Q4_K, Q5_K and Q6_K
  blocks_of_32,   ///< ggml's Q8_0: for Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0
};

constexpr int block_length(ActivationFormat format) {
  return format == ActivationFormat::blocks_of_256 ? 256 : 32;
}

/// Bytes that one token of a tile takes for each block.
///
/// A tile of T tokens is a row of blocks. Values stand as [length / 4][T][4], so that four of one
/// token's lie beside the same four of the next one; behind them for blocks of 256 the sums of 32
/// values as int16 [4][T][2] and of 16 values as int16 [8][T][2]; then the scales, float [T]; for
/// blocks of 32 the scaled sums as well, float [T].
constexpr std::size_t block_bytes(ActivationFormat format) {
  return format == ActivationFormat::blocks_of_256 ? 256 + 16 + 32 + 4 : 32 + 4 + 4;
}

/// The same for a whole token.
/// @param columns a multiple of the block's length
constexpr std::size_t activation_bytes(ActivationFormat format, int columns) {
  return static_cast<std::size_t>(columns / block_length(format)) * block_bytes(format);
}

/// A batch as tiles of about the same size: `index` of tile_count(n_tokens).
struct TokenRange {
  int first = 0;
  int count = 0;
};
constexpr int tile_count(int n_tokens) {
  return (n_tokens + TILE_TOKENS - 1) / TILE_TOKENS;
}
constexpr TokenRange tile_of(int n_tokens, int index) {
  const int tiles = tile_count(n_tokens);
  const int first = n_tokens * index / tiles;
  return {first, n_tokens * (index + 1) / tiles - first};
}

/// Rounds the activations of one tile as ggml does for its own products. To be called only where
/// cpu_has_panel_kernel says so.
/// @param rows one pointer a token, to so many floats as `columns` says
/// @param columns a multiple of the block's length
/// @param tile activation_bytes for each token
void round_tile(ActivationFormat format, std::span<const float* const> rows, int columns,
                std::byte* tile);

}  // namespace litestage
