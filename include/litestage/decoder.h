#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/head_preview.h"
#include "litestage/model.h"
#include "litestage/sublayer_mask.h"
#include "litestage/tokenizer.h"

namespace litestage {

/// Element type of the KV cache.
enum class KvType : std::uint8_t { f16, q8_0, f32 };

/// Which of ggml's two ways attention is computed in. They round differently.
enum class FlashAttention : std::uint8_t {
  off,  ///< plain, a product for each head, as libllama's
  on,
  automatic,  ///< the faster one for the batch at hand
};

/// What to do when a token must attend to cells that lack a layer, because that layer's attention
/// was left out when they were written.
enum class MissingKv : std::uint8_t {
  refuse,    ///< throw UserError
  backfill,  ///< recompute those tokens, and all after them, under the mask at hand
  tolerate,  ///< attend only to the cells that are there: an approximation, for experiments
};

/// Which KV of earlier text a computation under some mask goes on from.
enum class KvReuse : std::uint8_t {
  exact,  ///< only what was computed under this very mask
  whole,  ///< whatever has all the layers this mask attends to, under whichever FFNs it was
          ///< computed: nothing need be read twice, and the values differ a little
};

/// How logits are computed.
enum class HeadUse : std::uint8_t {
  full,     ///< the whole head
  preview,  ///< in two passes, where the decoder has a preview: the rows that matter for greedy
            ///< decoding are exact, all others approximations below them
};

struct DecoderOptions {
  int context = 0;  ///< KV cells shared by all sequences (tokens); 0: 4096, or the model's if fewer
  int threads = 0;  ///< 0: one for each physical core
  int ubatch = 512;  ///< tokens computed in one graph at most
  KvType kv_type = KvType::f16;
  FlashAttention flash_attention = FlashAttention::automatic;
  MissingKv missing_kv = MissingKv::refuse;
};

/// A point in the graph whose values can be read. All are rows of the residual stream
/// (embedding_size floats for each token), so that a sublayer's input and output can be compared
/// directly.
enum class TapPoint : std::uint8_t {
  layer_in,  ///< before the attention sublayer
  attn_out,  ///< after it, residual added: also the FFN's input; equals layer_in when it is skipped
  ffn_out,   ///< after the FFN, residual added
  final_norm,  ///< what the head reads; `layer` is ignored
};

struct Tap {
  TapPoint point;
  int layer = 0;
  bool operator==(const Tap&) const = default;
};

/// Reads `layer_in-3`, `attn_out-0`, `ffn_out-11`, `final_norm`. @throws UserError
Tap parse_tap(std::string_view name, int n_layers);

using SequenceId = int;

/// One token to compute; its position is the next free one of its sequence.
struct BatchToken {
  Token token = 0;
  SequenceId sequence = 0;
  bool want_logits = false;
};

/// What a forward call computed. Spans stay valid until the decoder's next forward call.
struct ForwardResult {
  int rows = 0;                              ///< tokens with want_logits, in the order of the batch
  std::span<const float> logits;             ///< [rows][vocabulary_size], or [rows][only.size()]
  std::vector<std::span<const float>> taps;  ///< one a requested tap: [tokens][embedding_size]
  int backfilled = 0;                        ///< tokens recomputed because of MissingKv::backfill
  int taken_over = 0;                        ///< tokens whose K and V came from KeptText
  bool interrupted =
      false;  ///< the interrupt function stopped it: no rows, no token of the batch kept

  /// @param width of a row: vocabulary_size, or only.size()
  std::span<const float> row(int index, int width) const {
    return logits.subspan(static_cast<std::size_t>(index) * static_cast<std::size_t>(width),
                          static_cast<std::size_t>(width));
  }
};

/// Tokens that a sequence holds, wanted at another place.
struct KeptText {
  SequenceId from = 0;
  int first = 0;  ///< position of the first one there
  int at = 0;     ///< its index among the tokens to come
  int count = 0;
};

/// A prefix of some tokens that the cache already holds.
struct HeldPrefix {
  SequenceId sequence = -1;  ///< where; -1 when nothing is held
  int length = 0;            ///< tokens
};

class DecoderEngine;  // src/model/decoder_engine.h

/// A loaded model with its KV cache: computes tokens with any sublayers left out.
///
/// Not safe for use by two threads at once; a DecoderPool gives each thread one of its own.
class Decoder {
 public:
  /// @throws UserError when the context is larger than the model's or than memory
  explicit Decoder(std::shared_ptr<const Model> model, const DecoderOptions& options = {});
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;

  const Model& model() const;
  const DecoderOptions& options() const;

  /// Computes a batch (any number of tokens of any sequences) with the mask's sublayers left out.
  /// A skipped sublayer adds no node to the graph and reads no weight; skipped attention writes no
  /// KV. Sequences come into being by being named. Tokens of one sequence must stand in order.
  /// @param only tokens of the vocabulary whose logits alone are wanted, in this order; empty: all.
  /// Under either HeadUse they are the whole head's, up to rounding, and no other row of a head on
  /// the CPU is read for them
  /// @throws UserError when the context is full, under MissingKv::refuse when KV is missing, or for
  /// a token or layer that the model does not have; in all cases the cache is unchanged
  ForwardResult forward(std::span<const BatchToken> batch, const SublayerMask& mask = {},
                        std::span<const Tap> taps = {}, HeadUse head = HeadUse::full,
                        std::span<const Token> only = {});
  /// The same for one sequence; a row of logits for the last token.
  ForwardResult forward(SequenceId sequence, std::span<const Token> tokens,
                        const SublayerMask& mask = {}, HeadUse head = HeadUse::full,
                        std::span<const Token> only = {});

  /// The same, where other sequences hold some of the tokens: their V is copied, their K turned to
  /// the new position, and only the other tokens are computed. An approximation: what is taken over
  /// has attended to what stood before it where it was written, not to what stands before it here.
  /// Computed all the same: the last token, what lacks a layer the mask keeps, and everything by a
  /// DecoderPool's clients.
  /// @param kept in the order of `tokens`, not overlapping; held by other sequences than this one
  /// @throws UserError as above, and when a kept text is not what its sequence holds
  ForwardResult forward(SequenceId sequence, std::span<const Token> tokens,
                        std::span<const KeptText> kept, const SublayerMask& mask = {},
                        HeadUse head = HeadUse::full, std::span<const Token> only = {});

  /// Takes a preview of this model's head, for HeadUse::preview; null takes it away.
  void set_head_preview(std::shared_ptr<const HeadPreview> preview);
  const HeadPreview* head_preview() const;
  /// Rows of all logits that were asked for by HeadUse::preview; those of some tokens alone have no
  /// preview.
  struct HeadStatistics {
    std::int64_t previewed = 0;
    std::int64_t full = 0;  ///< of these, how many needed the whole head after all
  };
  HeadStatistics head_statistics() const;

  /// Makes `to` share the first `length` cells of `from` (whole sequence by default). Copies no K
  /// or V: O(cells) bookkeeping. `to` must be empty.
  void fork(SequenceId from, SequenceId to, std::optional<int> length = std::nullopt);
  /// Keeps the first `length` tokens of a sequence.
  void truncate(SequenceId sequence, int length);
  void remove(SequenceId sequence);
  void clear();

  int length(SequenceId sequence) const;  ///< tokens held; 0 for an unknown sequence
  int free_cells() const;
  /// The lowest number from `from` on that no living sequence has.
  SequenceId unused_sequence(SequenceId from = 0) const;
  std::vector<SequenceId> sequences() const;  ///< living ones, ascending
  /// The longest prefix of `tokens` that some living sequence holds and a forward call under `mask`
  /// can go on from.
  HeldPrefix held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                         KvReuse reuse = KvReuse::exact) const;

  /// How often a graph was built, how often one was used again, and nodes of the last one.
  struct GraphStatistics {
    std::int64_t built = 0;
    std::int64_t reused = 0;
    int nodes = 0;
  };
  GraphStatistics graph_statistics() const;
  std::size_t kv_bytes() const;  ///< memory of the KV cache

  /// Called between and inside computations; true stops the forward call.
  void set_interrupt(std::function<bool()> interrupt);

 private:
  friend class DecoderEngine;
  friend class DecoderPool;
  explicit Decoder(std::unique_ptr<DecoderEngine> engine);

  std::unique_ptr<DecoderEngine> engine_;
};

/// Physical cores this process may use.
int default_thread_count();

}  // namespace litestage
