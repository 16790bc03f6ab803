#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include <ggml-cpp.h>

#include "litestage/decoder.h"
#include "litestage/sublayer_mask.h"

namespace litestage {

/// Whether a computation under one mask may go on from a cell that was computed under another.
bool kv_is_usable(const SublayerMask& computed, const SublayerMask& wanted, KvReuse reuse);

/// Which cell holds which token of which sequence: bookkeeping alone, no K or V.
///
/// A cell is one token at one position, computed under one mask, with everything before it in its
/// sequence. Sequences share cells; a cell is free when none holds it. The invariant: the K and V
/// of a sequence's cells are what a fresh run over its tokens gives, each under its recorded mask.
class KvCells {
 public:
  using MaskId = std::int32_t;

  struct Cell {
    Token token = 0;
    MaskId mask = 0;
    std::int32_t holders = 0;  ///< sequences; 0: free
  };

  explicit KvCells(int capacity) : cells_(static_cast<std::size_t>(capacity)), free_(capacity) {}

  /// A small number for a mask, the same for equal masks as long as a cell has it. Numbers without
  /// a cell are given away again: schedules may bring a new mask with every text.
  MaskId intern(const SublayerMask& mask);
  const SublayerMask& mask(MaskId id) const { return masks_[static_cast<std::size_t>(id)]; }
  int mask_count() const { return static_cast<int>(masks_.size()); }

  /// Takes the lowest free cell for a sequence's next token. There must be one.
  int append(SequenceId sequence, Token token, MaskId mask);
  void fork(SequenceId from, SequenceId to, int length);
  /// Appends a cell that another sequence holds already.
  void share(SequenceId to, int cell);
  void truncate(SequenceId sequence, int length);
  void remove(SequenceId sequence);
  void clear();

  /// Keeps cells from being reused although no sequence holds them, and lets go of them again.
  void hold(std::span<const std::int32_t> cells);
  void release(std::span<const std::int32_t> cells);

  /// Cells by position; empty for an unknown sequence.
  std::span<const std::int32_t> sequence(SequenceId sequence) const;
  const Cell& cell(int index) const { return cells_[static_cast<std::size_t>(index)]; }
  bool exists(SequenceId sequence) const { return sequences_.contains(sequence); }
  SequenceId unused_sequence(SequenceId from) const;
  std::vector<SequenceId> sequences() const;
  /// By MaskId, whether a computation under a mask may go on from cells computed under that one.
  std::vector<bool> usable(const SublayerMask& mask, KvReuse reuse) const;
  /// How many of `tokens` a sequence begins with, in cells of usable masks.
  int held_length(SequenceId sequence, std::span<const Token> tokens,
                  const std::vector<bool>& usable) const;
  HeldPrefix held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                         KvReuse reuse) const;

  int capacity() const { return static_cast<int>(cells_.size()); }
  int free_count() const { return free_; }
  /// One past the highest cell in use.
  int used_end() const;

 private:
  void drop(int index);

  std::vector<Cell> cells_;
  std::map<SequenceId, std::vector<std::int32_t>> sequences_;
  std::vector<SublayerMask> masks_;
  std::vector<std::int32_t> cells_of_mask_;  ///< in use, by MaskId
  int free_;
  int lowest_free_ = 0;  ///< no free cell stands below it
};

/// ggml's name for a type of the cache.
ggml_type storage_type(KvType type);

/// K and V of all cells: one tensor each a layer, [n_embd_kv, cells]. Layers that may attend
/// without ggml's flash attention have V the other way round too, as plain attention reads it:
/// transposing all cells at every step would cost more than writing each value twice.
class KvStorage {
 public:
  /// @throws UserError when there is no memory for it
  KvStorage(const Model& model, int cells, KvType type, FlashAttention flash_attention);

  ggml_tensor* keys(int layer) const { return keys_[static_cast<std::size_t>(layer)]; }
  ggml_tensor* values(int layer) const { return values_[static_cast<std::size_t>(layer)]; }
  /// [cells and a few more, n_embd_kv]; null where only flash attention reads V, which the first
  /// layer is if any.
  ggml_tensor* values_across(int layer) const {
    return values_across_[static_cast<std::size_t>(layer)];
  }
  std::size_t bytes() const;

 private:
  std::vector<ggml_context_ptr> contexts_;
  std::vector<ggml_backend_buffer_ptr> buffers_;
  std::vector<ggml_tensor*> keys_;
  std::vector<ggml_tensor*> values_;
  std::vector<ggml_tensor*> values_across_;
};

}  // namespace litestage
