#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <ggml-cpp.h>

#include "base/highest_values.h"
#include "litestage/decoder.h"
#include "model/cell_move.h"
#include "model/compute.h"
#include "model/head_rows.h"
#include "model/kv_cache.h"

namespace litestage {

/// One token on its way through: where it is written and what it may look at.
struct PlacedToken {
  Token token;
  SequenceId sequence;
  std::int32_t position;
  std::int32_t cell;
  bool want_logits;
  std::span<const Token> only = {};  ///< those of these tokens alone; empty: all
};

/// Computes tokens that have their cells already, one graph at a time: K and V of all cells, the
/// inputs of graphs, and what comes out of them.
class BatchCompute {
 public:
  /// @param options complete
  /// @param cells books of the cells; must stay alive
  /// @throws UserError when there is no memory for the cells
  BatchCompute(const Model& model, const DecoderOptions& options, const KvCells& cells);

  /// Makes the next graph ready; `cells` are not looked at any more until the next call of this.
  /// @param placed their `only` must stay alive until take_logits
  /// @param preview in the head's place, or null
  /// @throws UserError when there is no memory for a graph of this size
  void prepare(std::span<const PlacedToken> placed, const SublayerMask& mask,
               std::span<const Tap> taps, const std::shared_ptr<const HeadPreview>& preview);
  /// False when it was interrupted. @throws UserError when memory fails
  bool run() { return compute_.run(); }

  /// Copies cells, K turned to its new position. False when it was interrupted.
  /// @throws UserError when memory fails
  bool move(std::span<const CellMove> moves);

  /// Tokens with want_logits in the graph that was run.
  int rows() const { return graph_->shape.n_outputs; }
  /// Where the graph that was run wrote all logits; null where it has none, or a device holds them.
  const float* logits_of_graph() const;
  /// Their logits, exact where a preview proposes and where they are wanted alone: to be called
  /// once a run.
  /// @return a row behind the other, each of n_vocab values or of as many as its token wants alone;
  /// valid until the next run
  std::span<const float> take_logits();
  /// For each row of n_vocab values, whether it needed the whole head after all; empty without a
  /// preview.
  const std::vector<bool>& whole_rows() const { return whole_rows_; }
  /// Appends the values of one tap: [tokens][n_embd].
  void read_tap(std::size_t index, std::vector<float>& values) const;

  std::size_t kv_bytes() const { return storage_.bytes(); }
  Decoder::GraphStatistics statistics() const { return compute_.statistics(); }
  void set_interrupt(std::function<bool()> interrupt) {
    compute_.set_interrupt(std::move(interrupt));
  }

 private:
  void set_shape(std::span<const PlacedToken> placed, const SublayerMask& mask,
                 std::span<const Tap> taps);
  void choose_head(std::span<const PlacedToken> placed, const HeadPreview* preview);
  void group_layers(const SublayerMask& mask);
  bool see_the_same(int layer, int other) const;
  bool lacks(int layer, KvCells::MaskId mask) const;
  void choose_cells(std::span<const PlacedToken> placed);
  int collect_cells(std::span<const PlacedToken> placed);
  std::size_t column_of(std::int32_t cell, int position) const;
  void set_inputs(std::span<const PlacedToken> placed);
  GraphContext context() const;
  const std::vector<std::int64_t>& places_of(std::span<const std::int64_t> cells);
  void set_gathered(std::span<const PlacedToken> placed);
  void fill_mask(std::span<const PlacedToken> placed, int layer);
  std::span<float> computed_logits();
  void read_states();
  std::span<const float> state(std::size_t row) const;
  HeadRows& head_rows();
  void correct_logits(std::span<float> rows);
  std::span<const float> wanted_of(std::span<const float> rows);

  const Model& model_;
  const DecoderOptions& options_;
  const KvCells& cells_;
  KvStorage storage_;
  Compute compute_;
  DecoderGraph* graph_ = nullptr;
  /// Of the graph that `compute_` keeps, whose tensors it owns.
  std::shared_ptr<const HeadPreview> preview_;
  std::unique_ptr<HeadRows> head_rows_;  // once it was needed
  // A step of decoding allocates nothing: what it needs has its memory from the steps before.
  std::vector<std::span<const Token>> wanted_;  // of each row, alone; empty: all
  std::vector<float> states_;                   // what the head reads: [rows][n_embd], or none
  std::vector<float> wanted_logits_;            // where some rows are not whole
  std::vector<bool> whole_rows_;
  GraphShape shape_;                          // of the graph to come
  std::vector<int> groups_;                   // the first of all layers that see the same cells
  std::vector<std::int32_t> cells_of_batch_;  // those of one copy for all tokens
  std::vector<std::int32_t> place_in_batch_;  // by cell
  std::vector<ggml_fp16_t> mask_values_;      // [n_tokens, n_kv]
  std::vector<std::int32_t> integers_;
  std::vector<std::int64_t> cell_indices_;
  std::vector<std::int64_t> places_;
  std::vector<float> device_logits_;
  HighestValues proposals_;  // of a preview
};

}  // namespace litestage
