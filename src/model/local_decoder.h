#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/batch_compute.h"
#include "model/decoder_engine.h"
#include "model/kv_cache.h"

namespace litestage {

/// The options with what is left to the model and the machine filled in: context and threads.
/// @throws UserError for what is out of range
DecoderOptions complete(DecoderOptions options, const Model& model);

/// A decoder with cells of its own. What forward() is made of is open to the pool, which makes
/// other batches of it.
class LocalDecoder final : public DecoderEngine {
 public:
  /// @throws UserError when options are out of range or there is no memory
  LocalDecoder(std::shared_ptr<const Model> model, const DecoderOptions& options);

  const Model& model() const override { return *model_; }
  const DecoderOptions& options() const override { return options_; }
  ForwardResult forward(std::span<const BatchToken> batch, const SublayerMask& mask,
                        std::span<const Tap> taps, HeadUse head,
                        std::span<const Token> only) override;
  ForwardResult forward_keeping(SequenceId sequence, std::span<const Token> tokens,
                                std::span<const KeptText> kept, const SublayerMask& mask,
                                HeadUse head, std::span<const Token> only) override;
  void set_head_preview(std::shared_ptr<const HeadPreview> preview) override;
  const HeadPreview* head_preview() const override { return preview_.get(); }
  Decoder::HeadStatistics head_statistics() const override { return head_statistics_; }
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
  Decoder::GraphStatistics graph_statistics() const override { return compute_.statistics(); }
  std::size_t kv_bytes() const override { return compute_.kv_bytes(); }
  void set_interrupt(std::function<bool()> interrupt) override;

  /// What forward() asks of its arguments, whatever the cache holds. @throws UserError
  void check(std::span<const BatchToken> batch, const SublayerMask& mask, std::span<const Tap> taps,
             std::span<const Token> only) const;
  /// @throws UserError under MissingKv::refuse when KV is missing
  void refuse_missing(std::span<const SequenceId> sequences, const SublayerMask& mask) const;
  /// Distinct cells that MissingKv::backfill writes anew: 0 otherwise.
  std::size_t cells_to_backfill(std::span<const SequenceId> sequences,
                                const SublayerMask& mask) const;
  /// Computes anew what MissingKv::backfill wants; the cells must be free. False when it was
  /// interrupted: nothing has changed then.
  /// @param count of tokens computed
  bool backfill(std::span<const SequenceId> sequences, const SublayerMask& mask, int& count);
  /// Gives tokens their cells; they must be free.
  /// @param only must stay alive until they are computed
  void place(std::span<const BatchToken> batch, const SublayerMask& mask,
             std::span<const Token> only, std::vector<PlacedToken>& placed);
  /// @throws UserError for tokens that have no room
  [[noreturn]] void refuse_room(std::size_t tokens, int free) const;

  KvCells& cells() { return cells_; }
  const KvCells& cells() const { return cells_; }
  BatchCompute& compute() { return compute_; }

 private:
  int first_lacking(SequenceId sequence, const SublayerMask& mask) const;
  /// Computes placed tokens, or takes back all that was appended to what sequences held before.
  ForwardResult compute_or_undo(std::span<const PlacedToken> placed, const SublayerMask& mask,
                                std::span<const Tap> taps, HeadUse head,
                                std::span<const HeldPrefix> before, ForwardResult result);
  bool make_ready(std::span<const SequenceId> sequences, std::size_t tokens,
                  const SublayerMask& mask, int& backfilled);
  bool compute_all(std::span<const PlacedToken> placed, const SublayerMask& mask,
                   std::span<const Tap> taps, const std::shared_ptr<const HeadPreview>& preview,
                   ForwardResult& result);
  void collect(bool alone, ForwardResult& result);

  std::shared_ptr<const Model> model_;
  DecoderOptions options_;
  KvCells cells_;
  BatchCompute compute_;
  std::shared_ptr<const HeadPreview> preview_;
  Decoder::HeadStatistics head_statistics_;
  std::vector<float> logits_;  // rows of several ubatches
  std::vector<std::vector<float>> tap_values_;
  // Of one call, kept so that the next one allocates nothing.
  std::vector<SequenceId> sequences_;
  std::vector<HeldPrefix> before_;
  std::vector<PlacedToken> placed_;
};

/// Puts down the sequences of a batch, each once, as they come.
void list_sequences(std::span<const BatchToken> batch, std::vector<SequenceId>& sequences);

}  // namespace litestage
