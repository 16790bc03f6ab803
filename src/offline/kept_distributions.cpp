#include "offline/kept_distributions.h"

#include <algorithm>

#include "base/softmax.h"

namespace litestage {

// Not zeroed: that would write memory which `keep` writes anyway, and on one thread.
KeptDistributions::KeptDistributions(int rows, int vocabulary_size)
    : vocabulary_size_(static_cast<std::size_t>(vocabulary_size)),
      rows_(static_cast<std::size_t>(rows)),
      codes_(std::make_unique_for_overwrite<std::uint16_t[]>(rows_.size() * vocabulary_size_)) {}

std::span<std::uint16_t> KeptDistributions::codes(int row) const {
  return {codes_.get() + static_cast<std::size_t>(row) * vocabulary_size_, vocabulary_size_};
}

void KeptDistributions::keep(int row, std::span<const float> logits) {
  const float most = largest_of(logits);
  rows_[static_cast<std::size_t>(row)] = {
      .normaliser = pack_softmax(logits, most, codes(row)),
      .top = static_cast<int>(std::find(logits.begin(), logits.end(), most) - logits.begin())};
}

KeptDistributions::Difference KeptDistributions::compare(int row,
                                                         std::span<const float> logits) const {
  const Row& full = rows_[static_cast<std::size_t>(row)];
  const float most = largest_of(logits);
  return {.kl = packed_divergence(codes(row), full.normaliser, logits, most),
          .same_top = logits[static_cast<std::size_t>(full.top)] >= most};
}

}  // namespace litestage
