#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "base/binomial.h"
#include "base/elapsed.h"
#include "litestage/sampler.h"
#include "offline/head_learning.h"

namespace litestage {
namespace {

constexpr double ROUNDING = 1e-4;  // of the larger logit: kernels that sum in another order differ
constexpr double ONE_SIDED_ERROR = 0.05;
constexpr std::size_t TIMED_STEPS = 24;

/// Milliseconds of a step, mean; the first token is not counted, its step builds the graph.
double steps_ms(Decoder& decoder, std::span<const Token> tokens, HeadUse head) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point start;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i == 1) start = Clock::now();
    decoder.forward(0, tokens.subspan(i, 1), {}, head);
  }
  return milliseconds_since(start) / static_cast<double>(tokens.size() - 1);
}

bool same_choice(std::span<const float> logits, Token wanted, Token taken) {
  const double best = logits[static_cast<std::size_t>(wanted)];
  const double other = logits[static_cast<std::size_t>(taken)];
  return wanted == taken || best - other <= ROUNDING * std::max(1.0, std::abs(best));
}

}  // namespace

double HeadCheck::missed_bound() const {
  if (tokens == 0) return 1;
  return clopper_pearson_upper(static_cast<int>(missed), static_cast<int>(tokens), ONE_SIDED_ERROR);
}

HeadCheck check_head(Decoder& decoder, const std::vector<std::vector<Token>>& texts,
                     const std::function<bool(const HeadCheck&)>& progress) {
  constexpr std::size_t PART = 64;  // positions whose logits, of all rows, are kept at a time
  const int n_vocab = decoder.model().vocabulary_size();
  HeadCheck check;
  const std::int64_t full_before = decoder.head_statistics().full;
  for (const std::vector<Token>& text : texts) {
    decoder.clear();
    for (std::size_t begin = 0; begin < text.size(); begin += PART) {
      std::vector<BatchToken> batch;
      for (std::size_t i = begin; i < std::min(text.size(), begin + PART); ++i)
        batch.push_back({text[i], 0, true});
      const ForwardResult full = decoder.forward(batch);
      if (full.interrupted) return check;
      const std::vector<float> logits(full.logits.begin(), full.logits.end());
      const int rows = full.rows;
      decoder.truncate(0, static_cast<int>(begin));
      const ForwardResult previewed = decoder.forward(batch, {}, {}, HeadUse::preview);
      if (previewed.interrupted) return check;
      for (int row = 0; row < rows; ++row) {
        const auto exact = std::span(logits).subspan(
            static_cast<std::size_t>(row) * static_cast<std::size_t>(n_vocab),
            static_cast<std::size_t>(n_vocab));
        ++check.tokens;
        if (!same_choice(exact, argmax(exact), argmax(previewed.row(row, n_vocab)))) ++check.missed;
      }
      check.full = static_cast<long>(decoder.head_statistics().full - full_before);
      if (progress && !progress(check)) return check;
    }
  }
  decoder.clear();
  return check;
}

HeadTiming time_head(Decoder& decoder, const std::vector<std::vector<Token>>& texts, int most) {
  std::vector<double> full;
  std::vector<double> preview;
  for (const std::vector<Token>& text : texts) {
    if (static_cast<int>(full.size()) == most) break;
    if (text.size() <= 2 * TIMED_STEPS) continue;
    decoder.clear();
    const std::size_t read = text.size() - TIMED_STEPS;
    decoder.forward(0, std::span(text).first(read));
    const auto steps = std::span(text).last(TIMED_STEPS);
    const bool full_first = full.size() % 2 == 0;
    for (const bool is_full : {full_first, !full_first}) {
      decoder.truncate(0, static_cast<int>(read));
      const double ms = steps_ms(decoder, steps, is_full ? HeadUse::full : HeadUse::preview);
      (is_full ? full : preview).push_back(ms);
    }
  }
  decoder.clear();
  if (full.empty()) return {};
  return {static_cast<int>(full.size()), mean(full), mean(preview), paired_ratio(full, preview)};
}

std::string not_worth_having(const HeadCheck& check, const HeadTiming& timing) {
  if (check.tokens < TOKENS_A_MISS) {
    return fmt::format("{} tokens to check it on are too few, {} are needed", check.tokens,
                       TOKENS_A_MISS);
  }
  if (check.missed * TOKENS_A_MISS > check.tokens) {
    return fmt::format("{} of {} tokens would have been another one, more than 1 in {}",
                       check.missed, check.tokens, TOKENS_A_MISS);
  }
  if (timing.texts == 0) return "no text was long enough to time it on";
  if (timing.speedup.low <= 1) {
    return fmt::format("a token is written {:.3f}x as fast [{:.3f}, {:.3f}], not measurably faster",
                       timing.speedup.value, timing.speedup.low, timing.speedup.high);
  }
  return "";
}

}  // namespace litestage
