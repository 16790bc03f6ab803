#pragma once

#include <span>
#include <utility>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/sublayer_mask.h"

namespace litestage {

/// What a program says before every question, in sequences that outlive the questions.
class KeptPreamble {
 public:
  /// @param decoder must outlive it
  /// @param tokens may be none
  KeptPreamble(Decoder& decoder, std::vector<Token> tokens)
      : decoder_(decoder), tokens_(std::move(tokens)) {}
  ~KeptPreamble();
  KeptPreamble(const KeptPreamble&) = delete;
  KeptPreamble& operator=(const KeptPreamble&) = delete;

  /// Reads it under each mask, as far as there is room beside a question. What is there already is
  /// not read again.
  void keep(std::span<const SublayerMask> masks, KvReuse kv_reuse);

  /// A sequence is no longer there; of no effect on others than its own.
  void forget(SequenceId sequence) { std::erase(sequences_, sequence); }

  const std::vector<SequenceId>& sequences() const { return sequences_; }

 private:
  void keep(const SublayerMask& mask, KvReuse kv_reuse);

  Decoder& decoder_;
  std::vector<Token> tokens_;
  std::vector<SequenceId> sequences_;
};

}  // namespace litestage
