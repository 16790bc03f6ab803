#include "litestage/generation_early_exit.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "litestage/error.h"

namespace litestage {
namespace {

constexpr std::array<std::pair<ConfidenceKind, std::string_view>, 3> KINDS = {{
    {ConfidenceKind::largest_logit, "largest_logit"},
    {ConfidenceKind::largest_probability, "largest_probability"},
    {ConfidenceKind::negative_entropy, "negative_entropy"},
}};

/// Sums over several independent lanes, so that the compiler may keep them in one vector register:
/// without that the order of a floating-point sum is fixed and every addition waits for the last.
constexpr std::size_t LANES = 16;

float largest(std::span<const float> values) {
  std::array<float, LANES> lanes;
  lanes.fill(-std::numeric_limits<float>::infinity());
  std::size_t i = 0;
  for (; i + LANES <= values.size(); i += LANES) {
    for (std::size_t lane = 0; lane < LANES; ++lane)
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
  }
  float most = *std::max_element(lanes.begin(), lanes.end());
  for (; i < values.size(); ++i)
    most = std::max(most, values[i]);
  return most;
}

/// e^x for x <= 0, by a polynomial for the fraction and the exponent's bits: about 2e-7 relative,
/// and without a branch or a call, so that loops over the vocabulary become vector code.
inline float exp_of_negative(float x) {
  constexpr float LOG2_E = 1.44269504F;
  constexpr float SMALLEST = -87.0F;  // e^-87 is still a normal number
  const float scaled = (x < SMALLEST ? SMALLEST : x) * LOG2_E;
  const auto whole = static_cast<std::int32_t>(scaled - 0.5F);  // nearest, as scaled <= 0
  const float fraction = (scaled - static_cast<float>(whole)) * 0.693147181F;
  const float series =
      1.0F +
      fraction *
          (1.0F +
           fraction * (0.5F + fraction * (0.166666667F +
                                          fraction * (0.0416666667F +
                                                      fraction * (0.00833333333F +
                                                                  fraction * 0.00138888889F)))));
  constexpr std::int32_t BIAS = 127;
  constexpr int MANTISSA_BITS = 23;
  const auto bits = static_cast<std::uint32_t>(whole + BIAS) << MANTISSA_BITS;
  return series * std::bit_cast<float>(bits);
}

struct SoftmaxSums {
  double normaliser = 0;  ///< sum of e^(x - max)
  double weighted = 0;    ///< sum of (x - max) e^(x - max)
};

SoftmaxSums softmax_sums(std::span<const float> logits, float most) {
  std::array<float, LANES> sums{};
  std::array<float, LANES> weighted{};
  SoftmaxSums total;
  const auto flush = [&] {
    total.normaliser += std::accumulate(sums.begin(), sums.end(), 0.0);
    total.weighted += std::accumulate(weighted.begin(), weighted.end(), 0.0);
    sums.fill(0);
    weighted.fill(0);
  };
  // Single precision within a block, double between blocks.
  constexpr std::size_t BLOCK = 4096;
  std::size_t i = 0;
  for (; i + LANES <= logits.size(); i += LANES) {
    for (std::size_t lane = 0; lane < LANES; ++lane) {
      const float below = logits[i + lane] - most;
      const float weight = exp_of_negative(below);
      sums[lane] += weight;
      weighted[lane] += weight * (below < -87.0F ? 0.0F : below);
    }
    if (i % BLOCK == 0) flush();
  }
  flush();
  for (; i < logits.size(); ++i) {
    const float below = logits[i] - most;
    const float weight = exp_of_negative(below);
    total.normaliser += weight;
    total.weighted += below < -87.0F ? 0.0 : static_cast<double>(weight) * below;
  }
  return total;
}

}  // namespace

std::string_view to_string(ConfidenceKind kind) {
  for (const auto& [known, name] : KINDS) {
    if (known == kind) return name;
  }
  assert(false);
  return "";
}

ConfidenceKind parse_confidence_kind(std::string_view name, const std::string& where) {
  std::string names;
  for (const auto& [kind, known] : KINDS) {
    if (known == name) return kind;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", known);
  }
  throw UserError(where, fmt::format("there is no confidence \"{}\"", name), "use one of " + names);
}

float Confidence::of(ConfidenceKind kind) const {
  switch (kind) {
    case ConfidenceKind::largest_logit:
      return largest_logit;
    case ConfidenceKind::largest_probability:
      return largest_probability;
    case ConfidenceKind::negative_entropy:
      return negative_entropy;
  }
  assert(false);
  return 0;
}

Confidence confidence_of(std::span<const float> logits) {
  assert(!logits.empty());
  const float most = largest(logits);
  const SoftmaxSums sums = softmax_sums(logits, most);
  // sum p ln p with p = e^(x - max) / Z is (sum (x - max) e^(x - max)) / Z - ln Z.
  return {most, static_cast<float>(1.0 / sums.normaliser),
          static_cast<float>(sums.weighted / sums.normaliser - std::log(sums.normaliser))};
}

float confidence_of(std::span<const float> logits, ConfidenceKind kind) {
  return kind == ConfidenceKind::largest_logit ? largest(logits) : confidence_of(logits).of(kind);
}

ConfidenceWindow::ConfidenceWindow(const ExitRule& rule)
    : threshold_(rule.threshold), ring_(static_cast<std::size_t>(rule.window)) {
  assert(rule.window >= 1);
}

bool ConfidenceWindow::add(float confidence) {
  ring_[seen_++ % ring_.size()] = confidence;
  if (seen_ < ring_.size()) return false;
  const double sum = std::accumulate(ring_.begin(), ring_.end(), 0.0);
  return sum <= threshold_ * static_cast<double>(ring_.size());
}

bool goes_in_circles(std::span<const Token> tokens) {
  constexpr std::size_t LEAST = 24;  // tokens in all
  constexpr std::size_t ROUNDS = 3;
  constexpr std::size_t LONGEST = 64;  // tokens of one round
  for (std::size_t period = 1; period <= LONGEST && period * ROUNDS <= tokens.size(); ++period) {
    const std::size_t span = std::max(LEAST, period * ROUNDS);
    if (span > tokens.size()) continue;
    const std::span<const Token> tail = tokens.last(span);
    if (std::equal(tail.begin() + static_cast<std::ptrdiff_t>(period), tail.end(), tail.begin()))
      return true;
  }
  return false;
}

std::size_t last_sentence_end(std::string_view text) {
  constexpr std::string_view ENDS = ".!?\n";
  constexpr std::string_view CLOSERS = "\"')]}*";
  for (std::size_t i = text.size(); i-- > 0;) {
    if (ENDS.find(text[i]) == std::string_view::npos) continue;
    std::size_t end = i + 1;
    while (end < text.size() && CLOSERS.find(text[end]) != std::string_view::npos)
      ++end;
    // A point inside a number or a name ends nothing.
    if (text[i] != '\n' && end < text.size() && text[end] != ' ' && text[end] != '\n') continue;
    return end;
  }
  return text.size();
}

}  // namespace litestage
