#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "litestage/tokenizer.h"

namespace litestage::app {

/// One way to compute tokens, as a benchmark drives it. Every call returns when its logits can be
/// read.
class BenchEngine {
 public:
  virtual ~BenchEngine() = default;

  /// Forgets all sequences.
  virtual void clear() = 0;
  /// Appends tokens to a sequence and computes the logits of the last one.
  virtual void prefill(int sequence, std::span<const Token> tokens) = 0;
  /// Makes sequences 1 to count - 1 share all that sequence 0 holds.
  virtual void fork(int count) = 0;
  /// Appends one token to each of sequences 0 to tokens.size() - 1, in one batch, with all logits.
  virtual void step(std::span<const Token> tokens) = 0;
};

/// Makes an engine with room for this many tokens in all, and this many sequences.
struct EngineSize {
  int context = 0;
  int sequences = 1;
  bool share_cells = true;  ///< sequences may share what they hold
};
using EngineFactory = std::function<std::unique_ptr<BenchEngine>(EngineSize)>;

}  // namespace litestage::app
