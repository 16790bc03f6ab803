#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "litestage/decoder.h"

namespace litestage {

/// What stands behind a Decoder: a model with cells of its own, or a client of a pool. All
/// functions mean what Decoder's of that name mean.
class DecoderEngine {
 public:
  DecoderEngine() = default;
  DecoderEngine(const DecoderEngine&) = delete;
  DecoderEngine& operator=(const DecoderEngine&) = delete;
  virtual ~DecoderEngine() = default;

  /// The decoder that it stands behind.
  static Decoder make_decoder(std::unique_ptr<DecoderEngine> engine);

  virtual const Model& model() const = 0;
  virtual const DecoderOptions& options() const = 0;

  virtual ForwardResult forward(std::span<const BatchToken> batch, const SublayerMask& mask,
                                std::span<const Tap> taps, HeadUse head,
                                std::span<const Token> only) = 0;

  /// Decoder::forward with kept texts, which are what they say. This one computes all tokens.
  virtual ForwardResult forward_keeping(SequenceId sequence, std::span<const Token> tokens,
                                        std::span<const KeptText> kept, const SublayerMask& mask,
                                        HeadUse head, std::span<const Token> only);

  virtual void set_head_preview(std::shared_ptr<const HeadPreview> preview) = 0;
  virtual const HeadPreview* head_preview() const = 0;
  virtual Decoder::HeadStatistics head_statistics() const = 0;

  /// `to` is empty, and `from` has so many tokens: more than none.
  virtual void fork(SequenceId from, SequenceId to, int length) = 0;
  virtual void truncate(SequenceId sequence, int length) = 0;
  virtual void remove(SequenceId sequence) = 0;
  virtual void clear() = 0;

  virtual int length(SequenceId sequence) const = 0;
  virtual int free_cells() const = 0;
  virtual SequenceId unused_sequence(SequenceId from) const = 0;
  virtual std::vector<SequenceId> sequences() const = 0;
  /// Not const: a client may take hold of what it finds.
  virtual HeldPrefix held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                                 KvReuse reuse) = 0;

  virtual Decoder::GraphStatistics graph_statistics() const = 0;
  virtual std::size_t kv_bytes() const = 0;
  virtual void set_interrupt(std::function<bool()> interrupt) = 0;
};

/// Tokens of one sequence, logits wanted of the last one.
std::vector<BatchToken> as_batch(SequenceId sequence, std::span<const Token> tokens);

}  // namespace litestage
