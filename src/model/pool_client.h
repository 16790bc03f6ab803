#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/decoder_engine.h"
#include "model/pool_worker.h"

namespace litestage {

/// One thread's share of a pool: its sequences by its own numbers.
class PoolClient final : public DecoderEngine {
 public:
  /// The number that held_prefix gives a prefix that another client holds. It may be forked from,
  /// and stays until the next call of held_prefix or forward. No list of sequences has it.
  static constexpr SequenceId BORROWED = -2;

  explicit PoolClient(std::shared_ptr<PoolWorker> worker);
  ~PoolClient() override;

  const Model& model() const override;
  const DecoderOptions& options() const override;
  ForwardResult forward(std::span<const BatchToken> batch, const SublayerMask& mask,
                        std::span<const Tap> taps, HeadUse head,
                        std::span<const Token> only) override;
  void set_head_preview(std::shared_ptr<const HeadPreview> preview) override;
  const HeadPreview* head_preview() const override { return preview_.get(); }
  Decoder::HeadStatistics head_statistics() const override { return member_.head_statistics; }
  void fork(SequenceId from, SequenceId to, int length) override;
  void truncate(SequenceId sequence, int length) override;
  void remove(SequenceId sequence) override;
  void clear() override;
  int length(SequenceId sequence) const override;
  int free_cells() const override;
  SequenceId unused_sequence(SequenceId from) const override;
  std::vector<SequenceId> sequences() const override;
  HeldPrefix held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                         KvReuse reuse) override;
  Decoder::GraphStatistics graph_statistics() const override { return member_.graph_statistics; }
  std::size_t kv_bytes() const override;
  void set_interrupt(std::function<bool()> interrupt) override;

 private:
  // All of these with the mutex held.

  /// The pool's number for one of the client's sequences, also for one that is not there yet.
  SequenceId pool_id(SequenceId sequence);
  /// Where a sequence, or what is borrowed, is in the pool.
  std::optional<SequenceId> source(SequenceId sequence) const;
  void forget_empty(SequenceId sequence);
  void give_back_borrowed();

  std::shared_ptr<PoolWorker> worker_;
  std::shared_ptr<const HeadPreview> preview_;
  std::function<bool()> interrupt_;
  PoolMember member_;
  std::vector<float> logits_;  // of the last forward call
  std::vector<std::vector<float>> taps_;
};

}  // namespace litestage
