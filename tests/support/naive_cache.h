#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "litestage/decoder.h"

namespace litestage::test {

/// The KV cache as one would explain it: for each sequence a list of tokens, the mask each was
/// computed under, and the number of its cell. Logits come from a new decoder that computes the
/// whole list again.
class NaiveCache {
 public:
  struct Entry {
    Token token = 0;
    SublayerMask mask;
    int cell = 0;
  };
  using Sequence = std::vector<Entry>;

  NaiveCache(std::shared_ptr<const Model> model, const DecoderOptions& options)
      : model_(std::move(model)), options_(options) {}

  const Sequence& sequence(SequenceId id) const;
  std::vector<SequenceId> living() const;
  int free_cells() const;

  /// The first position of a sequence that lacks an attention layer that `mask` keeps.
  std::optional<int> first_lacking(SequenceId id, const SublayerMask& mask) const;
  /// Cells a batch needs in all: one a token, and one for each that backfilling writes anew, as the
  /// old ones are let go of only when that went well.
  int cells_needed(std::span<const BatchToken> batch, const SublayerMask& mask) const;
  /// What backfilling and appending do to the lists.
  void append(std::span<const BatchToken> batch, const SublayerMask& mask);
  void fork(SequenceId from, SequenceId to, int length);
  void truncate(SequenceId id, int length);
  void remove(SequenceId id);

  /// Logits of the last token of a sequence, by a full run from nothing.
  std::vector<float> last_logits(SequenceId id) const;
  /// Length of the longest prefix of `tokens` under exactly `mask` that any sequence holds.
  int held(std::span<const Token> tokens, const SublayerMask& mask) const;

 private:
  std::set<SequenceId> sequences_of(std::span<const BatchToken> batch) const;

  std::shared_ptr<const Model> model_;
  DecoderOptions options_;
  std::map<SequenceId, Sequence> sequences_;
  int next_cell_ = 0;
};

}  // namespace litestage::test
