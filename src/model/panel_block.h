#pragma once

// One block of eight rows as vectors of 32 bytes, four columns of each row side by side. For files
// that are compiled for x86-64 alone.

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

/// Functions with this may run only where the CPU has these instructions; all others are compiled
/// for any CPU.
#define LITESTAGE_AVX2 [[gnu::target("avx2,fma,f16c")]]
#define LITESTAGE_AVX2_INLINE LITESTAGE_AVX2 [[gnu::always_inline]] inline

namespace litestage {

/// One of the vectors that lie one behind the other from `data` on.
LITESTAGE_AVX2_INLINE __m256i load_vector(const void* data, int index = 0) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(data) + index);
}
LITESTAGE_AVX2_INLINE __m256 load_halves(const void* data) {
  return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(data)));
}

/// The low or the high four bits of each byte.
LITESTAGE_AVX2_INLINE __m256i nibbles(__m256i bytes, bool high) {
  return _mm256_and_si256(high ? _mm256_srli_epi16(bytes, 4) : bytes, _mm256_set1_epi8(0x0F));
}

/// Moves two bytes of each four, `first` and `second`, into the low halves of two 16-bit numbers.
LITESTAGE_AVX2_INLINE __m256i low_halves(__m256i quads, int first, int second) {
  const __m256i quad = _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C, 0, 0x04040404,
                                         0x08080808, 0x0C0C0C0C);
  constexpr std::uint32_t NOTHING = 0x80008000U;
  const std::uint32_t pick =
      NOTHING | static_cast<std::uint32_t>(first) | static_cast<std::uint32_t>(second) << 16U;
  return _mm256_shuffle_epi8(quads,
                             _mm256_add_epi8(quad, _mm256_set1_epi32(static_cast<int>(pick))));
}

/// A scale and a min of two bytes each for each row, as they lie in a panel.
struct ScaleAndMin {
  __m256 scale;
  __m256 min;
};
LITESTAGE_AVX2_INLINE ScaleAndMin load_scale_and_min(const std::byte* data) {
  const __m256i both = load_vector(data);
  const __m256i scales = _mm256_and_si256(both, _mm256_set1_epi32(0xFFFF));
  const __m256i mins = _mm256_srli_epi32(both, 16);
  const __m256i sorted = _mm256_permute4x64_epi64(_mm256_packus_epi32(scales, mins), 0xD8);
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(sorted)),
          _mm256_cvtph_ps(_mm256_extracti128_si256(sorted, 1))};
}

/// Blocks of 256 columns: a weight is scale * s * q - min * m, with whole numbers s and m for each
/// of GROUPS groups of columns. They have:
///   values(i)   q of columns 4 i to 4 i + 3 of each row
///   scales(g)   s of a group, twice for each row, 16 bits each
///   offsets(p)  m of groups 2 p and 2 p + 1
/// What Q4_K and Q5_K share: scales and mins of eight groups, six bits each. Four of each are
/// whole; of the others the upper two bits stand above those.
class SixBitScales {
 public:
  static constexpr int GROUPS = 8;
  LITESTAGE_AVX2_INLINE explicit SixBitScales(const std::byte* data)
      : scale_and_min_(load_scale_and_min(data)) {
    const __m256i first = load_vector(data, 1);
    const __m256i second = load_vector(data, 2);
    const __m256i third = load_vector(data, 3);
    const __m256i six = _mm256_set1_epi8(0x3F);
    const __m256i upper = _mm256_set1_epi8(0x30);
    scales_[0] = _mm256_and_si256(first, six);
    mins_[0] = _mm256_and_si256(second, six);
    scales_[1] = _mm256_or_si256(nibbles(third, false),
                                 _mm256_and_si256(_mm256_srli_epi16(first, 2), upper));
    mins_[1] = _mm256_or_si256(nibbles(third, true),
                               _mm256_and_si256(_mm256_srli_epi16(second, 2), upper));
  }
  LITESTAGE_AVX2_INLINE __m256i scales(int group) const {
    return low_halves(scales_[group / 4], group % 4, group % 4);
  }
  LITESTAGE_AVX2_INLINE __m256i offsets(int pair) const {
    return low_halves(mins_[pair / 2], pair % 2 * 2, pair % 2 * 2 + 1);
  }
  LITESTAGE_AVX2_INLINE __m256 scale() const { return scale_and_min_.scale; }
  LITESTAGE_AVX2_INLINE __m256 min() const { return scale_and_min_.min; }

 private:
  ScaleAndMin scale_and_min_;
  __m256i scales_[2];
  __m256i mins_[2];
};

/// Q4_K. Scales in 128 bytes, nibbles: low ones are 32 columns, high ones the next 32.
class BlockQ4K : public SixBitScales {
 public:
  LITESTAGE_AVX2_INLINE explicit BlockQ4K(const std::byte* data)
      : SixBitScales(data), data_(data) {}
  LITESTAGE_AVX2_INLINE __m256i values(int i) const {
    return nibbles(load_vector(data_ + 128, i / 16 * 8 + i % 8), i % 16 >= 8);
  }

 private:
  const std::byte* data_;
};

/// Q5_K. The same with fifth bits before the nibbles: bit g of a byte for a column of group g.
class BlockQ5K : public SixBitScales {
 public:
  LITESTAGE_AVX2_INLINE explicit BlockQ5K(const std::byte* data)
      : SixBitScales(data), data_(data) {}
  LITESTAGE_AVX2_INLINE __m256i values(int i) const {
    const __m256i bits = load_vector(data_ + 128, i % 8);
    const __m256i moved =
        i / 8 < 4 ? _mm256_slli_epi16(bits, 4 - i / 8) : _mm256_srli_epi16(bits, i / 8 - 4);
    return _mm256_or_si256(nibbles(load_vector(data_ + 384, i / 16 * 8 + i % 8), i % 16 >= 8),
                           _mm256_and_si256(moved, _mm256_set1_epi8(0x10)));
  }

 private:
  const std::byte* data_;
};

/// Q6_K. For each half of the columns 64 bytes of nibbles of a row, and 32 of pairs of bits; 16
/// scales of eight bits; the scale of all. A weight is scale * s * (q - 32), so that m is 32 s.
class BlockQ6K {
 public:
  static constexpr int GROUPS = 16;
  LITESTAGE_AVX2_INLINE explicit BlockQ6K(const std::byte* data) : data_(data) {}
  LITESTAGE_AVX2_INLINE __m256i values(int i) const {
    const int part = i % 32 / 8;  // of a half: its nibbles are low, low, high, high
    const __m256i four = load_vector(data_, i / 32 * 16 + part % 2 * 8 + i % 8);
    const __m256i bits = load_vector(data_ + 1024, i / 32 * 8 + i % 8);
    const __m256i moved =
        part < 2 ? _mm256_slli_epi16(bits, 4 - 2 * part) : _mm256_srli_epi16(bits, 2 * part - 4);
    return _mm256_or_si256(nibbles(four, part >= 2),
                           _mm256_and_si256(moved, _mm256_set1_epi8(0x30)));
  }
  LITESTAGE_AVX2_INLINE __m256i scales(int group) const {
    return _mm256_srai_epi16(high_halves(group / 4, group % 4, group % 4), 8);
  }
  /// Minus 32 s: to be added to the sums, which have the same scale.
  LITESTAGE_AVX2_INLINE __m256i offsets(int pair) const {
    const __m256i both = high_halves(pair / 2, pair % 2 * 2, pair % 2 * 2 + 1);
    return _mm256_sub_epi16(_mm256_setzero_si256(), _mm256_srai_epi16(both, 3));
  }
  LITESTAGE_AVX2_INLINE __m256 scale() const { return load_halves(data_ + 1664); }

 private:
  LITESTAGE_AVX2_INLINE __m256i high_halves(int quad, int first, int second) const {
    return _mm256_slli_epi16(low_halves(load_vector(data_ + 1536, quad), first, second), 8);
  }

  const std::byte* data_;
};

/// Blocks of 32 columns: a weight is scale * q + offset. values(i) as above.
template <bool HAS_FIFTH_BITS>
class SmallBlock {
 public:
  LITESTAGE_AVX2_INLINE __m256i values(int i) const {
    const __m256i four = nibbles(load_vector(nibbles_, i % 4), i >= 4);
    if constexpr (!HAS_FIFTH_BITS) return four;
    return _mm256_or_si256(four, fifth_bits(i));
  }
  LITESTAGE_AVX2_INLINE __m256 scale() const { return scale_; }
  LITESTAGE_AVX2_INLINE __m256 offset() const { return offset_; }

 protected:
  /// @param rest what follows the scales: a number with the fifth bits of each row, nibbles
  LITESTAGE_AVX2_INLINE SmallBlock(__m256 scale, __m256 offset, const std::byte* rest)
      : scale_(scale), offset_(offset), nibbles_(rest + (HAS_FIFTH_BITS ? 32 : 0)) {
    if constexpr (HAS_FIFTH_BITS) bits_ = load_vector(rest);
  }

 private:
  /// Sixteen where a bit is set, of the four bits from 4 i on.
  LITESTAGE_AVX2_INLINE __m256i fifth_bits(int i) const {
    const __m256i quad = _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C, 0, 0x04040404,
                                           0x08080808, 0x0C0C0C0C);
    const __m256i spread = _mm256_shuffle_epi8(
        bits_, _mm256_add_epi8(quad, _mm256_set1_epi8(static_cast<char>(i / 2))));
    const __m256i bit = _mm256_set1_epi32(static_cast<int>(i % 2 == 0 ? 0x08040201U : 0x80402010U));
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit),
                            _mm256_set1_epi8(0x10));
  }

  __m256 scale_;
  __m256 offset_;
  const std::byte* nibbles_;
  __m256i bits_;
};

/// Q4_0 and Q5_0: numbers around zero.
template <bool HAS_FIFTH_BITS>
class CenteredBlock : public SmallBlock<HAS_FIFTH_BITS> {
 public:
  LITESTAGE_AVX2_INLINE explicit CenteredBlock(const std::byte* data)
      : CenteredBlock(data, load_halves(data)) {}

 private:
  LITESTAGE_AVX2_INLINE CenteredBlock(const std::byte* data, __m256 scale)
      : SmallBlock<HAS_FIFTH_BITS>(
            scale, _mm256_mul_ps(scale, _mm256_set1_ps(HAS_FIFTH_BITS ? -16.0F : -8.0F)),
            data + 16) {}
};

/// Q4_1 and Q5_1: numbers from a min on.
template <bool HAS_FIFTH_BITS>
class OffsetBlock : public SmallBlock<HAS_FIFTH_BITS> {
 public:
  LITESTAGE_AVX2_INLINE explicit OffsetBlock(const std::byte* data)
      : OffsetBlock(data, load_scale_and_min(data)) {}

 private:
  LITESTAGE_AVX2_INLINE OffsetBlock(const std::byte* data, const ScaleAndMin& both)
      : SmallBlock<HAS_FIFTH_BITS>(both.scale, both.min, data + 32) {}
};

/// Q8_0: numbers of eight bits plus 128, as two digits of four. values(i) for i from 8 on are the
/// upper digits, sixteen times as much each, of the columns of i - 8.
class EightBitBlock {
 public:
  LITESTAGE_AVX2_INLINE explicit EightBitBlock(const std::byte* data)
      : scale_(load_halves(data)), numbers_(data + 16) {}
  LITESTAGE_AVX2_INLINE __m256i values(int i) const {
    const __m256i numbers = load_vector(numbers_, i % 8);
    return nibbles(_mm256_xor_si256(numbers, _mm256_set1_epi8(static_cast<char>(0x80))), i >= 8);
  }
  LITESTAGE_AVX2_INLINE __m256 scale() const { return scale_; }
  LITESTAGE_AVX2_INLINE __m256 offset() const {
    return _mm256_mul_ps(scale_, _mm256_set1_ps(-128.0F));
  }

 private:
  __m256 scale_;
  const std::byte* numbers_;
};

}  // namespace litestage
