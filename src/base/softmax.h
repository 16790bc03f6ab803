#pragma once

#include <cstdint>
#include <span>

namespace litestage {

// Sums over a vocabulary (1e5 values a position), in loops that compilers turn into vector code; on
// x86-64 there is a second set of them for processors with AVX2 and FMA, chosen as the program
// runs. Logits must be finite.

/// The largest of at least one value.
float largest_of(std::span<const float> values);

/// With these the softmax's entropy needs no second pass: sum p ln p = weighted / normaliser -
/// ln normaliser.
struct SoftmaxSums {
  double normaliser = 0;  ///< sum of e^(x - most)
  double weighted = 0;    ///< sum of (x - most) e^(x - most)
};

/// @param most the largest of the logits
SoftmaxSums softmax_sums(std::span<const float> logits, float most);

/// Keeps a distribution in 16 bits a logit. The code k of a logit x stands for
/// most - 32 (k / 65535)^2 nats: exact for the likeliest, steps of 1.7e-4 nats one nat below it and
/// of 9.8e-4 at 32 nats, where the range ends: what lies lower is raised to there, with a weight of
/// 1.3e-14 beside the likeliest.
/// @param codes as many as logits
/// @return the normaliser: sum of e^(x - most) over the values that the codes stand for
double pack_softmax(std::span<const float> logits, float most, std::span<std::uint16_t> codes);

/// KL divergence, nats, from the distribution that codes stand for to the softmax of logits: sum of
/// p (ln p - ln q). Never negative.
///
/// The codes stand for a proper distribution (with their own normaliser), so rounding shifts the
/// divergence from a distribution to itself only by half the variance of the steps: below 1e-7. A
/// divergence of another one is off by about 5e-5 * sqrt(sum p^2 (ln p/q)^2) at one position,
/// upwards as often as downwards.
/// @param normaliser as `pack_softmax` returned it
/// @param most the largest of the logits
double packed_divergence(std::span<const std::uint16_t> codes, double normaliser,
                         std::span<const float> logits, float most);

}  // namespace litestage
