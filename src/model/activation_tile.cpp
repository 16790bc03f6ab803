#include "model/activation_tile.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#if defined(__x86_64__)
#include "model/panel_block.h"
#endif

namespace litestage {

#if defined(__x86_64__)

namespace {

constexpr std::size_t QUAD = 4;

template <typename T>
void place(T value, std::byte* to) {
  std::memcpy(to, &value, sizeof value);
}

struct Range {
  float least = 0;
  float most = 0;
};

/// Of eight times so many numbers.
LITESTAGE_AVX2 Range range_of(const float* x, int vectors) {
  __m256 least = _mm256_loadu_ps(x);
  __m256 most = least;
  for (int i = 1; i < vectors; ++i) {
    const __m256 next = _mm256_loadu_ps(x + std::ptrdiff_t{8} * i);
    least = _mm256_min_ps(next, least);
    most = _mm256_max_ps(next, most);
  }
  // As a maximum each, in the two halves of one vector.
  const __m256 lower =
      _mm256_permute2f128_ps(_mm256_sub_ps(_mm256_setzero_ps(), least), most, 0x20);
  const __m256 upper =
      _mm256_permute2f128_ps(_mm256_sub_ps(_mm256_setzero_ps(), least), most, 0x31);
  __m256 four = _mm256_max_ps(lower, upper);
  four = _mm256_max_ps(four, _mm256_permute_ps(four, 0x4E));
  four = _mm256_max_ps(four, _mm256_permute_ps(four, 0xB1));
  return {-_mm256_cvtss_f32(four), _mm_cvtss_f32(_mm256_extractf128_ps(four, 1))};
}

/// 32 numbers times `factor`, rounded to the nearest whole ones, even ones from halfway.
LITESTAGE_AVX2 __m256i round_32(const float* x, __m256 factor) {
  __m256i eight[4];
  for (int i = 0; i < 4; ++i)
    eight[i] =
        _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + std::ptrdiff_t{8} * i), factor));
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(eight[0], eight[1]),
                                           _mm256_packs_epi32(eight[2], eight[3]));
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/// Puts eight quads of one token `step` bytes apart.
LITESTAGE_AVX2 void place_quads(__m256i values, std::size_t step, std::byte* to) {
  std::array<std::int32_t, 8> quads;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(quads.data()), values);
  for (const std::int32_t quad : quads) {
    place(quad, to);
    to += step;
  }
}

/// Sums of two times 16 numbers.
LITESTAGE_AVX2 std::array<std::int16_t, 2> sums_of_16(__m256i values) {
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), values);
  __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  fours = _mm256_add_epi32(fours, _mm256_srli_si256(fours, 8));
  fours = _mm256_add_epi32(fours, _mm256_srli_si256(fours, 4));
  return {static_cast<std::int16_t>(_mm256_extract_epi32(fours, 0)),
          static_cast<std::int16_t>(_mm256_extract_epi32(fours, 4))};
}

/// As ggml's Q8_K: the largest number becomes -127, whatever its sign.
LITESTAGE_AVX2 void round_256(const float* x, std::size_t tokens, std::size_t token,
                              std::byte* block) {
  const Range range = range_of(x, 32);
  float largest = range.most > -range.least ? range.most : range.least;
  if (range.most == -range.least)  // then the first one's sign counts
    largest =
        *std::find_if(x, x + 256, [&](float y) { return y == range.most || y == range.least; });
  const float factor = largest != 0 ? -127.0F / largest : 0.0F;
  std::byte* sums_32 = block + 256 * tokens;
  std::byte* sums_16 = sums_32 + 16 * tokens;
  for (std::size_t i = 0; i < 8; ++i) {
    const __m256i values = round_32(x + 32 * i, _mm256_set1_ps(factor));
    place_quads(values, QUAD * tokens, block + (8 * i * tokens + token) * QUAD);
    const std::array<std::int16_t, 2> sums = sums_of_16(values);
    place(sums, sums_16 + (i * tokens + token) * sizeof sums);
    place(static_cast<std::int16_t>(sums[0] + sums[1]),
          sums_32 + (i / 2 * tokens + token) * sizeof sums + i % 2 * sizeof sums[0]);
  }
  place(largest != 0 ? 1 / factor : 0.0F, sums_16 + 32 * tokens + token * sizeof(float));
}

/// As ggml's Q8_0: the largest number becomes 127 in absolute value; the scale is rounded to half
/// precision.
LITESTAGE_AVX2 void round_32_alone(const float* x, std::size_t tokens, std::size_t token,
                                   std::byte* block) {
  const Range range = range_of(x, 4);
  const float most = std::max(range.most, -range.least);
  const __m256i values = round_32(x, _mm256_set1_ps(most > 0 ? 127.0F / most : 0.0F));
  place_quads(values, QUAD * tokens, block + token * QUAD);
  const __m128i half = _mm_cvtps_ph(_mm_set_ss(most / 127.0F), _MM_FROUND_TO_NEAREST_INT);
  const float scale = _mm_cvtss_f32(_mm_cvtph_ps(half));
  const std::array<std::int16_t, 2> sums = sums_of_16(values);
  std::byte* scales = block + 32 * tokens;
  place(scale, scales + token * sizeof(float));
  place(scale * static_cast<float>(sums[0] + sums[1]), scales + (tokens + token) * sizeof(float));
}

}  // namespace

void round_tile(ActivationFormat format, std::span<const float* const> rows, int columns,
                std::byte* tile) {
  const int length = block_length(format);
  assert(columns % length == 0);
  const auto round = format == ActivationFormat::blocks_of_256 ? round_256 : round_32_alone;
  for (int column = 0; column < columns; column += length) {
    for (std::size_t token = 0; token < rows.size(); ++token)
      round(rows[token] + column, rows.size(), token, tile);
    tile += block_bytes(format) * rows.size();
  }
}

#else

void round_tile(ActivationFormat, std::span<const float* const>, int, std::byte*) {
  assert(false);
}

#endif

}  // namespace litestage
