#include "model/weight_widening.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>

#include "base/parallel.h"

namespace litestage {
namespace {

/// Q5_0: 32 numbers from -16 to 15, plus 16 in five bits each: the fifth bits of all, then the low
/// four, of the first half in the low and of the second in the high half of a byte.
struct NarrowBlock {
  ggml_fp16_t scale;
  std::array<std::uint8_t, 4> fifth_bits;
  std::array<std::uint8_t, 16> low_bits;
};
static_assert(sizeof(NarrowBlock) == 22);

constexpr std::size_t WIDE_BYTES = sizeof(ggml_fp16_t) + 32;  // Q8_0: scale, 32 signed bytes

/// For eight fifth bits the upper halves of eight signed bytes: a number without its fifth bit is
/// negative.
constexpr std::array<std::uint64_t, 256> signs() {
  std::array<std::uint64_t, 256> table{};
  for (std::size_t bits = 0; bits < table.size(); ++bits) {
    for (std::size_t i = 0; i < 8; ++i) {
      if ((bits >> i & 1) == 0) table[bits] |= std::uint64_t{0xF0} << (8 * i);
    }
  }
  return table;
}
constexpr std::array<std::uint64_t, 256> SIGNS = signs();

void widen_block(const std::byte* narrow, std::byte* wide) {
  NarrowBlock from;
  std::memcpy(&from, narrow, sizeof from);
  std::array<std::uint64_t, 2> low_bits{};
  std::memcpy(low_bits.data(), from.low_bits.data(), sizeof low_bits);
  constexpr std::uint64_t LOW_HALVES = 0x0F0F0F0F0F0F0F0F;
  std::array<std::uint64_t, 4> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = (low_bits[i % 2] >> (i < 2 ? 0 : 4) & LOW_HALVES) | SIGNS[from.fifth_bits[i]];
  std::memcpy(wide, &from.scale, sizeof from.scale);
  std::memcpy(wide + sizeof from.scale, numbers.data(), sizeof numbers);
}

}  // namespace

std::optional<ggml_type> wider_type(ggml_type type) {
  return type == GGML_TYPE_Q5_0 ? std::optional(GGML_TYPE_Q8_0) : std::nullopt;
}

void widen_q5_0(std::span<const std::byte> narrow, std::span<std::byte> wide, int threads) {
  const std::size_t blocks = narrow.size() / sizeof(NarrowBlock);
  assert(narrow.size() == blocks * sizeof(NarrowBlock) && wide.size() == blocks * WIDE_BYTES);
  constexpr std::size_t PART = 4096;
  for_each_index(static_cast<int>((blocks + PART - 1) / PART), threads, [&](int part) {
    const std::size_t begin = static_cast<std::size_t>(part) * PART;
    for (std::size_t block = begin; block < std::min(blocks, begin + PART); ++block)
      widen_block(narrow.data() + block * sizeof(NarrowBlock), wide.data() + block * WIDE_BYTES);
  });
}

}  // namespace litestage
