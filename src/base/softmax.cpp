#include "base/softmax.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

// A loop is written once, is inlined wherever it is called, and called from two functions: one for
// any processor and one that the compiler may use wider vectors in. (target_clones would do the
// same, but the loader then runs code of this file before sanitizers are ready.)
#define LITESTAGE_INLINE inline __attribute__((always_inline))
#if defined(__x86_64__)
#define LITESTAGE_WIDE __attribute__((target("avx2,fma")))
#endif

namespace litestage {
namespace {

/// Sums over several independent lanes, so that the compiler may keep them in vector registers:
/// without that the order of a floating-point sum is fixed and every addition waits for the last.
constexpr std::size_t LANES = 16;
/// Values summed in single precision before a sum goes on in double.
constexpr std::size_t BLOCK = 4096;
/// e^-87 is still a normal number.
constexpr float SMALLEST = -87.0F;

using Lanes = std::array<float, LANES>;

LITESTAGE_INLINE void flush(Lanes& lanes, double& total) {
  total = std::accumulate(lanes.begin(), lanes.end(), total);
  lanes.fill(0);
}

/// e^x for x <= 0, by a polynomial for the fraction and the exponent's bits: about 2e-7 relative,
/// and without a branch or a call, so that loops over the vocabulary become vector code.
LITESTAGE_INLINE float exp_of_negative(float x) {
  constexpr float LOG2_E = 1.44269504F;
  constexpr float LN_2 = 0.693147181F;
  const float scaled = (x < SMALLEST ? SMALLEST : x) * LOG2_E;
  const auto whole = static_cast<std::int32_t>(scaled - 0.5F);  // nearest, as scaled <= 0
  const float t = (scaled - static_cast<float>(whole)) * LN_2;
  float series = 0.00138888889F;  // Taylor's: 1/6!, 1/5!, ...
  series = series * t + 0.00833333333F;
  series = series * t + 0.0416666667F;
  series = series * t + 0.166666667F;
  series = series * t + 0.5F;
  series = series * t + 1.0F;
  series = series * t + 1.0F;
  constexpr std::int32_t BIAS = 127;
  constexpr int MANTISSA_BITS = 23;
  const auto bits = static_cast<std::uint32_t>(whole + BIAS) << MANTISSA_BITS;
  return series * std::bit_cast<float>(bits);
}

LITESTAGE_INLINE float largest_loop(const float* values, std::size_t count) {
  Lanes lanes;
  lanes.fill(-std::numeric_limits<float>::infinity());
  std::size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (std::size_t lane = 0; lane < LANES; ++lane)
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
  }
  float most = *std::max_element(lanes.begin(), lanes.end());
  for (; i < count; ++i)
    most = std::max(most, values[i]);
  return most;
}

LITESTAGE_INLINE SoftmaxSums softmax_loop(const float* logits, std::size_t count, float most) {
  Lanes sums{};
  Lanes weighted{};
  SoftmaxSums total;
  std::size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (std::size_t lane = 0; lane < LANES; ++lane) {
      const float below = logits[i + lane] - most;
      const float weight = exp_of_negative(below);
      sums[lane] += weight;
      weighted[lane] += weight * (below < SMALLEST ? 0.0F : below);
    }
    if (i % BLOCK == 0) {
      flush(sums, total.normaliser);
      flush(weighted, total.weighted);
    }
  }
  flush(sums, total.normaliser);
  flush(weighted, total.weighted);
  for (; i < count; ++i) {
    const float below = logits[i] - most;
    const float weight = exp_of_negative(below);
    total.normaliser += weight;
    total.weighted += below < SMALLEST ? 0.0 : static_cast<double>(weight) * below;
  }
  return total;
}

constexpr float PACKED_RANGE = 32.0F;  // nats
constexpr float PACKED_LARGEST = 65535.0F;

LITESTAGE_INLINE std::uint16_t pack(float below) {
  const float share = (below < -PACKED_RANGE ? PACKED_RANGE : -below) / PACKED_RANGE;
  // Never negative; std::lround would be a call. NOLINTNEXTLINE(bugprone-incorrect-roundings)
  const auto rounded = static_cast<std::int32_t>(std::sqrt(share) * PACKED_LARGEST + 0.5F);
  return static_cast<std::uint16_t>(rounded);
}

/// Nats below the likeliest, as a negative number.
LITESTAGE_INLINE float unpack(std::uint16_t code) {
  const auto value = static_cast<float>(static_cast<std::int32_t>(code));
  return value * value * (-PACKED_RANGE / (PACKED_LARGEST * PACKED_LARGEST));
}

/// sum of e^u over what the codes stand for, and of e^u (u - v) with v = logit - most.
struct DivergenceSums {
  double weighted = 0;
  double normaliser = 0;  ///< sum of e^v
};

LITESTAGE_INLINE DivergenceSums divergence_loop(const std::uint16_t* codes, const float* logits,
                                                std::size_t count, float most) {
  Lanes weighted{};
  Lanes sums{};
  DivergenceSums total;
  std::size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (std::size_t lane = 0; lane < LANES; ++lane) {
      const float full = unpack(codes[i + lane]);
      const float other = logits[i + lane] - most;
      weighted[lane] += exp_of_negative(full) * (full - other);
      sums[lane] += exp_of_negative(other);
    }
    if (i % BLOCK == 0) {
      flush(weighted, total.weighted);
      flush(sums, total.normaliser);
    }
  }
  flush(weighted, total.weighted);
  flush(sums, total.normaliser);
  for (; i < count; ++i) {
    const float full = unpack(codes[i]);
    const float other = logits[i] - most;
    total.weighted += static_cast<double>(exp_of_negative(full)) * (full - other);
    total.normaliser += exp_of_negative(other);
  }
  return total;
}

LITESTAGE_INLINE double pack_loop(const float* logits, std::size_t count, float most,
                                  std::uint16_t* codes) {
  Lanes sums{};
  double total = 0;
  std::size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (std::size_t lane = 0; lane < LANES; ++lane) {
      const std::uint16_t code = pack(logits[i + lane] - most);
      codes[i + lane] = code;
      sums[lane] += exp_of_negative(unpack(code));
    }
    if (i % BLOCK == 0) flush(sums, total);
  }
  flush(sums, total);
  for (; i < count; ++i) {
    codes[i] = pack(logits[i] - most);
    total += exp_of_negative(unpack(codes[i]));
  }
  return total;
}

#ifdef LITESTAGE_WIDE
template <auto LOOP, typename... Arguments>
LITESTAGE_WIDE auto wide(Arguments... arguments) {
  return LOOP(arguments...);
}
#endif

/// The loop, compiled for this processor.
template <auto LOOP, typename... Arguments>
auto run(Arguments... arguments) {
#ifdef LITESTAGE_WIDE
  static const bool IS_WIDE = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (IS_WIDE) return wide<LOOP>(arguments...);
#endif
  return LOOP(arguments...);
}

}  // namespace

float largest_of(std::span<const float> values) {
  assert(!values.empty());
  return run<largest_loop>(values.data(), values.size());
}

SoftmaxSums softmax_sums(std::span<const float> logits, float most) {
  return run<softmax_loop>(logits.data(), logits.size(), most);
}

double pack_softmax(std::span<const float> logits, float most, std::span<std::uint16_t> codes) {
  assert(codes.size() == logits.size());
  return run<pack_loop>(logits.data(), logits.size(), most, codes.data());
}

double packed_divergence(std::span<const std::uint16_t> codes, double normaliser,
                         std::span<const float> logits, float most) {
  assert(codes.size() == logits.size());
  const DivergenceSums sums =
      run<divergence_loop>(codes.data(), logits.data(), logits.size(), most);
  const double divergence =
      sums.weighted / normaliser - std::log(normaliser) + std::log(sums.normaliser);
  return std::max(0.0, divergence);
}

}  // namespace litestage
