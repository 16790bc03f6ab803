#include <algorithm>
#include <cmath>

#include "base/binomial.h"
#include "litestage/sampler.h"
#include "offline/head_learning.h"

namespace litestage {
namespace {

constexpr double ROUNDING = 1e-4;  // of the larger logit: kernels that sum in another order differ
constexpr double ONE_SIDED_ERROR = 0.05;

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

}  // namespace litestage
