#include "model/panel_kernel.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#if defined(__x86_64__)
#include "model/panel_block.h"
#endif

namespace litestage {

#if defined(__x86_64__)

bool cpu_has_panel_kernel() {
  // No CPU has AVX2 without F16C, which not every compiler can ask for.
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}

namespace {

// Loops over tokens must be unrolled, as their sums are registers. Loops over columns must not be
// where there are many tokens: the compiler would load activations long before they are used, and
// put sums into memory.
#if defined(__clang__)
#define LITESTAGE_UNROLL _Pragma("clang loop unroll(full)")
#define LITESTAGE_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define LITESTAGE_UNROLL _Pragma("GCC unroll 64")
#define LITESTAGE_ROLLED _Pragma("GCC unroll 1")
#endif

/// With so few tokens weights are unpacked as they are multiplied; with more of them once for all,
/// into memory.
constexpr int FEW_TOKENS = 2;

/// Columns whose unpacked weights and whose activations of a tile stay in the first-level cache
/// together.
constexpr int STRETCH = 1536;

/// Blocks of 256 columns, and of 32: see panel_block.h.
template <typename Block>
constexpr bool HAS_GROUPS = requires {
  Block::GROUPS;
};
template <typename Block>
constexpr bool HAS_MIN = std::is_base_of_v<SixBitScales, Block>;
template <typename Block>
constexpr ActivationFormat FORMAT =
    HAS_GROUPS<Block> ? ActivationFormat::blocks_of_256 : ActivationFormat::blocks_of_32;
template <typename Block>
constexpr bool HAS_TWO_DIGITS = std::is_same_v<Block, EightBitBlock>;

/// What a block is unpacked to.
template <typename Block, bool = HAS_GROUPS<Block>>
struct Unpacked;

template <typename Block>
struct alignas(32) Unpacked<Block, true> {
  std::uint8_t quads[64][32];
  std::uint8_t group_scales[Block::GROUPS][32];
  std::uint8_t pair_offsets[Block::GROUPS / 2][32];
  float row_scales[8];
  float row_mins[8];

  LITESTAGE_AVX2_INLINE void fill(const Block& block) {
    LITESTAGE_UNROLL
    for (int i = 0; i < 64; ++i)
      put(block.values(i), quads[i]);
    LITESTAGE_UNROLL
    for (int i = 0; i < Block::GROUPS; ++i)
      put(block.scales(i), group_scales[i]);
    LITESTAGE_UNROLL
    for (int i = 0; i < Block::GROUPS / 2; ++i)
      put(block.offsets(i), pair_offsets[i]);
    _mm256_store_ps(row_scales, block.scale());
    if constexpr (HAS_MIN<Block>) _mm256_store_ps(row_mins, block.min());
  }
  LITESTAGE_AVX2_INLINE static void put(__m256i vector, std::uint8_t* to) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), vector);
  }
  LITESTAGE_AVX2_INLINE __m256i values(int i) const { return load_vector(quads[i]); }
  LITESTAGE_AVX2_INLINE __m256i scales(int i) const { return load_vector(group_scales[i]); }
  LITESTAGE_AVX2_INLINE __m256i offsets(int i) const { return load_vector(pair_offsets[i]); }
  LITESTAGE_AVX2_INLINE __m256 scale() const { return _mm256_load_ps(row_scales); }
  LITESTAGE_AVX2_INLINE __m256 min() const { return _mm256_load_ps(row_mins); }
};

template <typename Block>
struct alignas(32) Unpacked<Block, false> {
  static constexpr int QUADS = HAS_TWO_DIGITS<Block> ? 16 : 8;
  std::uint8_t quads[QUADS][32];
  float row_scales[8];
  float row_offsets[8];

  LITESTAGE_AVX2_INLINE void fill(const Block& block) {
    LITESTAGE_UNROLL
    for (int i = 0; i < QUADS; ++i)
      _mm256_store_si256(reinterpret_cast<__m256i*>(quads[i]), block.values(i));
    _mm256_store_ps(row_scales, block.scale());
    _mm256_store_ps(row_offsets, block.offset());
  }
  LITESTAGE_AVX2_INLINE __m256i values(int i) const { return load_vector(quads[i]); }
  LITESTAGE_AVX2_INLINE __m256 scale() const { return _mm256_load_ps(row_scales); }
  LITESTAGE_AVX2_INLINE __m256 offset() const { return _mm256_load_ps(row_offsets); }
};

/// One of the quads, or floats, that lie one behind the other from `data` on, eight times.
LITESTAGE_AVX2_INLINE __m256i quad_at(const std::byte* data, int index) {
  std::int32_t bytes = 0;
  std::memcpy(&bytes, data + std::ptrdiff_t{4} * index, sizeof bytes);
  return _mm256_set1_epi32(bytes);
}
LITESTAGE_AVX2_INLINE __m256 float_at(const std::byte* data, int index) {
  float value = 0;
  std::memcpy(&value, data + std::ptrdiff_t{4} * index, sizeof value);
  return _mm256_set1_ps(value);
}

/// Bytes from one quad of a tile's activations to the next.
template <int TOKENS>
constexpr std::ptrdiff_t QUAD_BYTES = std::ptrdiff_t{4} * TOKENS;

/// Sums of one tile, a vector of eight rows for each token.
template <int TOKENS>
struct Sums {
  __m256i of[TOKENS];
  LITESTAGE_AVX2_INLINE void clear() {
    LITESTAGE_UNROLL
    for (int t = 0; t < TOKENS; ++t)
      of[t] = _mm256_setzero_si256();
  }
};

template <int TOKENS>
LITESTAGE_AVX2_INLINE void add_quad(__m256i weights, const std::byte* activations, __m256i* run) {
  LITESTAGE_UNROLL
  for (int t = 0; t < TOKENS; ++t)
    run[t] = _mm256_add_epi16(run[t], _mm256_maddubs_epi16(weights, quad_at(activations, t)));
}

/// Adds weights times activations: RUN quads of columns in 16 bits, as many as cannot overflow, to
/// be multiplied with the scale of their group as they are widened to 32.
template <int TOKENS, int RUN, typename Source>
LITESTAGE_AVX2_INLINE void add_run(const Source& block, int quad, const std::byte* activations,
                                   __m256i scales, Sums<TOKENS>& sums) {
  __m256i run[TOKENS];
  activations += QUAD_BYTES<TOKENS> * quad;
  const __m256i first = block.values(quad);
  LITESTAGE_UNROLL
  for (int t = 0; t < TOKENS; ++t)
    run[t] = _mm256_maddubs_epi16(first, quad_at(activations, t));
  if constexpr (TOKENS <= FEW_TOKENS) {
    LITESTAGE_UNROLL
    for (int i = 1; i < RUN; ++i)
      add_quad<TOKENS>(block.values(quad + i), activations + QUAD_BYTES<TOKENS> * i, run);
  } else {
    LITESTAGE_ROLLED
    for (int i = 1; i < RUN; ++i)
      add_quad<TOKENS>(block.values(quad + i), activations + QUAD_BYTES<TOKENS> * i, run);
  }
  LITESTAGE_UNROLL
  for (int t = 0; t < TOKENS; ++t)
    sums.of[t] = _mm256_add_epi32(sums.of[t], _mm256_madd_epi16(run[t], scales));
}

/// What the offsets of groups come to: each times the sum of the activations of its columns.
template <int TOKENS, int PAIRS, typename Source>
LITESTAGE_AVX2_INLINE void add_offsets(const Source& block, const std::byte* activation_sums,
                                       Sums<TOKENS>& sums) {
  LITESTAGE_UNROLL
  for (int pair = 0; pair < PAIRS; ++pair) {
    const __m256i offsets = block.offsets(pair);
    LITESTAGE_UNROLL
    for (int t = 0; t < TOKENS; ++t)
      sums.of[t] = _mm256_add_epi32(
          sums.of[t], _mm256_madd_epi16(offsets, quad_at(activation_sums, pair * TOKENS + t)));
  }
}

template <int TOKENS, int QUADS, int RUN, typename Source>
LITESTAGE_AVX2_INLINE void add_group(const Source& block, int group, const std::byte* activations,
                                     __m256i scales, Sums<TOKENS>& sums) {
  constexpr int RUNS = QUADS / RUN;
  static_assert(RUNS * RUN == QUADS && RUNS <= 2);
  add_run<TOKENS, RUN>(block, group * QUADS, activations, scales, sums);
  if constexpr (RUNS == 2)
    add_run<TOKENS, RUN>(block, group * QUADS + RUN, activations, scales, sums);
}

/// One block of 256 columns. @tparam RUN see add_run
template <typename Block, int TOKENS, int RUN, typename Source>
requires HAS_GROUPS<Block> LITESTAGE_AVX2_INLINE void add_block(const Source& block,
                                                                const std::byte* activations,
                                                                __m256* products) {
  constexpr int GROUPS = Block::GROUPS;
  const std::byte* sums_of_32 = activations + std::ptrdiff_t{256} * TOKENS;
  const std::byte* sums_of_16 = sums_of_32 + std::ptrdiff_t{16} * TOKENS;
  const std::byte* scales = sums_of_16 + std::ptrdiff_t{32} * TOKENS;
  Sums<TOKENS> sums;
  sums.clear();
  if constexpr (HAS_MIN<Block>) {
    add_offsets<TOKENS, GROUPS / 2>(block, sums_of_32, sums);
    const __m256 min = block.min();
    LITESTAGE_UNROLL
    for (int t = 0; t < TOKENS; ++t)
      products[t] = _mm256_fnmadd_ps(_mm256_mul_ps(min, float_at(scales, t)),
                                     _mm256_cvtepi32_ps(sums.of[t]), products[t]);
    sums.clear();
  } else {
    add_offsets<TOKENS, GROUPS / 2>(block, sums_of_16, sums);
  }
  constexpr int QUADS = 64 / GROUPS;
  if constexpr (TOKENS <= FEW_TOKENS) {
    LITESTAGE_UNROLL
    for (int group = 0; group < GROUPS; ++group)
      add_group<TOKENS, QUADS, RUN>(block, group, activations, block.scales(group), sums);
  } else {
    LITESTAGE_ROLLED
    for (int group = 0; group < GROUPS; ++group)
      add_group<TOKENS, QUADS, RUN>(block, group, activations, block.scales(group), sums);
  }
  const __m256 scale = block.scale();
  LITESTAGE_UNROLL
  for (int t = 0; t < TOKENS; ++t)
    products[t] = _mm256_fmadd_ps(_mm256_mul_ps(scale, float_at(scales, t)),
                                  _mm256_cvtepi32_ps(sums.of[t]), products[t]);
}

/// One block of 32 columns.
template <typename Block, int TOKENS, int RUN, typename Source>
requires(!HAS_GROUPS<Block>) LITESTAGE_AVX2_INLINE
    void add_block(const Source& block, const std::byte* activations, __m256* products) {
  Sums<TOKENS> sums;
  sums.clear();
  add_group<TOKENS, 8, RUN>(block, 0, activations, _mm256_set1_epi16(1), sums);
  if constexpr (HAS_TWO_DIGITS<Block>)  // the second one of the same columns
    add_group<TOKENS, 8, RUN>(block, 1, activations - QUAD_BYTES<TOKENS> * 8, _mm256_set1_epi16(16),
                              sums);
  const std::byte* scales = activations + std::ptrdiff_t{32} * TOKENS;
  const __m256 scale = block.scale();
  const __m256 offset = block.offset();
  LITESTAGE_UNROLL
  for (int t = 0; t < TOKENS; ++t) {
    products[t] = _mm256_fmadd_ps(_mm256_mul_ps(scale, float_at(scales, t)),
                                  _mm256_cvtepi32_ps(sums.of[t]), products[t]);
    products[t] = _mm256_fmadd_ps(offset, float_at(scales, TOKENS + t), products[t]);
  }
}

/// How far ahead of their use weights are asked for: blocks are longer than what the CPU would see
/// as a stream of its own accord.
constexpr std::size_t PREFETCH = 2048;

LITESTAGE_AVX2_INLINE void prefetch(const std::byte* data, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64)
    _mm_prefetch(reinterpret_cast<const char*>(data + i), _MM_HINT_T0);
}

struct Batch {
  int columns = 0;
  const std::byte* activations = nullptr;
  int n_tokens = 0;
  float* products = nullptr;
  std::size_t stride = 0;
};

/// Few tokens with a whole panel.
template <typename Block, int RUN, int TOKENS>
LITESTAGE_AVX2 void multiply_few(const std::byte* panel, std::size_t block_size,
                                 const Batch& batch) {
  const std::byte* activations = batch.activations;
  __m256 products[TOKENS] = {};
  for (int i = 0; i < batch.columns / block_length(FORMAT<Block>); ++i) {
    prefetch(panel + PREFETCH, block_size);
    add_block<Block, TOKENS, RUN>(Block(panel), activations, products);
    panel += block_size;
    activations += block_bytes(FORMAT<Block>) * TOKENS;
  }
  LITESTAGE_UNROLL
  for (int t = 0; t < TOKENS; ++t)
    _mm256_storeu_ps(batch.products + static_cast<std::size_t>(t) * batch.stride, products[t]);
}

/// Some blocks with those of a tile. @param adds to the products that stand there
template <typename Block, int RUN, int TOKENS>
LITESTAGE_AVX2 void multiply_tile(std::span<const Unpacked<Block>> blocks, const Batch& tile,
                                  bool adds) {
  const std::byte* activations = tile.activations;
  __m256 products[TOKENS];
  LITESTAGE_UNROLL
  for (int t = 0; t < TOKENS; ++t)
    products[t] = adds ? _mm256_loadu_ps(tile.products + static_cast<std::size_t>(t) * tile.stride)
                       : _mm256_setzero_ps();
  for (const Unpacked<Block>& block : blocks) {
    add_block<Block, TOKENS, RUN>(block, activations, products);
    activations += block_bytes(FORMAT<Block>) * TOKENS;
  }
  LITESTAGE_UNROLL
  for (int t = 0; t < TOKENS; ++t)
    _mm256_storeu_ps(tile.products + static_cast<std::size_t>(t) * tile.stride, products[t]);
}

template <typename Block, int RUN>
void multiply_tile(std::span<const Unpacked<Block>> blocks, const Batch& tile, bool adds) {
  using Function = void (*)(std::span<const Unpacked<Block>>, const Batch&, bool);
  static constexpr std::array<Function, TILE_TOKENS> FUNCTIONS{
      multiply_tile<Block, RUN, 1>, multiply_tile<Block, RUN, 2>, multiply_tile<Block, RUN, 3>,
      multiply_tile<Block, RUN, 4>, multiply_tile<Block, RUN, 5>, multiply_tile<Block, RUN, 6>};
  FUNCTIONS[static_cast<std::size_t>(tile.n_tokens - 1)](blocks, tile, adds);
}

template <typename Block>
LITESTAGE_AVX2 void unpack(const std::byte* panel, std::size_t block_size,
                           std::span<Unpacked<Block>> blocks) {
  for (Unpacked<Block>& block : blocks) {
    prefetch(panel + PREFETCH, block_size);
    block.fill(Block(panel));
    panel += block_size;
  }
}

template <typename Block, int RUN>
void multiply(const std::byte* panel, std::size_t block_size, const Batch& batch) {
  if (batch.n_tokens == 1) return multiply_few<Block, RUN, 1>(panel, block_size, batch);
  if (batch.n_tokens == 2) return multiply_few<Block, RUN, 2>(panel, block_size, batch);
  constexpr int MOST = STRETCH / block_length(FORMAT<Block>);
  std::array<Unpacked<Block>, MOST> memory;
  const int count = batch.columns / block_length(FORMAT<Block>);
  for (int first = 0; first < count; first += MOST) {
    const auto blocks =
        std::span(memory).first(static_cast<std::size_t>(std::min(MOST, count - first)));
    unpack<Block>(panel + block_size * static_cast<std::size_t>(first), block_size, blocks);
    for (int i = 0; i < tile_count(batch.n_tokens); ++i) {
      const TokenRange range = tile_of(batch.n_tokens, i);
      const auto token = static_cast<std::size_t>(range.first);
      Batch tile = batch;
      tile.n_tokens = range.count;
      tile.activations +=
          activation_bytes(FORMAT<Block>, batch.columns) * token +
          block_bytes(FORMAT<Block>) * static_cast<std::size_t>(range.count * first);
      tile.products += batch.stride * token;
      multiply_tile<Block, RUN>(std::span<const Unpacked<Block>>(blocks), tile, first > 0);
    }
  }
}

}  // namespace

void multiply_panel(ggml_type type, const std::byte* panel, int columns,
                    const std::byte* activations, int n_tokens, float* products,
                    std::size_t stride) {
  const Batch batch{columns, activations, n_tokens, products, stride};
  const std::size_t block_size = ggml_type_size(type) * PANEL_ROWS;
  // How many products of a weight and an activation, at most 127, fit into 16 bits in pairs: 16
  // with weights or digits up to 15, eight with those up to 31, four with those up to 63.
  switch (type) {
    case GGML_TYPE_Q4_K:
      return multiply<BlockQ4K, 8>(panel, block_size, batch);
    case GGML_TYPE_Q5_K:
      return multiply<BlockQ5K, 4>(panel, block_size, batch);
    case GGML_TYPE_Q6_K:
      return multiply<BlockQ6K, 2>(panel, block_size, batch);
    case GGML_TYPE_Q4_0:
      return multiply<CenteredBlock<false>, 8>(panel, block_size, batch);
    case GGML_TYPE_Q4_1:
      return multiply<OffsetBlock<false>, 8>(panel, block_size, batch);
    case GGML_TYPE_Q5_0:
      return multiply<CenteredBlock<true>, 4>(panel, block_size, batch);
    case GGML_TYPE_Q5_1:
      return multiply<OffsetBlock<true>, 4>(panel, block_size, batch);
    case GGML_TYPE_Q8_0:
      return multiply<EightBitBlock, 8>(panel, block_size, batch);
    default:
      assert(false);
  }
}

#else

bool cpu_has_panel_kernel() {
  return false;
}

void multiply_panel(ggml_type, const std::byte*, int, const std::byte*, int, float*, std::size_t) {
  assert(false);
}

#endif

}  // namespace litestage
