#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ggml-cpp.h>

#include "litestage/decoder.h"
#include "model/head_preview_tensors.h"
#include "model/kv_cache.h"

namespace litestage {

/// ggml's CPU kernel for flash attention works in tiles of this many tokens. With fewer it reads K
/// and V once for each query, and plain attention is faster unless they are few
/// (docs/performance.md).
constexpr int FLASH_TILE = 64;

/// Where tokens look at K and V.
enum class CellAccess : std::uint8_t {
  in_place,       ///< at the first cells, all together
  copy_of_batch,  ///< at a copy of the cells that any token of the batch looks at
  copies,         ///< each at a copy of its own cells
};

/// Everything a graph's topology and sizes depend on. Two calls with equal shapes use the same
/// graph.
struct GraphShape {
  SublayerMask mask;
  int n_tokens = 0;
  int n_outputs = 0;  ///< tokens whose logits are wanted
  int n_kv = 0;       ///< cells that are looked at, by each token where each has its own
  CellAccess access = CellAccess::in_place;
  /// Which attention mask each layer reads: layers that see the same cells share one.
  std::vector<int> mask_of_layer;
  int n_masks = 0;
  std::vector<Tap> taps;
  bool has_head = true;       ///< false: outputs end with what the head reads
  bool gives_states = false;  ///< what the head reads is wanted as well as, or instead of, logits
  const HeadPreviewTensors* preview = nullptr;  ///< in the head's place, or null

  bool operator==(const GraphShape&) const = default;
};

/// A built graph with its inputs and outputs by name. Tensors that the graph does not need are null
/// or without a buffer.
struct DecoderGraph {
  GraphShape shape;
  ggml_context_ptr context;
  ggml_cgraph* graph = nullptr;

  ggml_tensor* tokens = nullptr;     // i32 [n_tokens]
  ggml_tensor* positions = nullptr;  // i32 [n_tokens]
  ggml_tensor* cells = nullptr;      // i64 [n_tokens]: where K and V are written
  ggml_tensor* places = nullptr;  // i64 [n_embd_kv * n_tokens]: where values go, V across; or null
  ggml_tensor* output_rows = nullptr;  // i32 [n_outputs]; null when all tokens are outputs
  ggml_tensor* gathered = nullptr;     // i32 [n_kv] or [n_kv * n_tokens]: cells to copy; or null
  std::vector<ggml_tensor*> attention_masks;  // f16 [n_kv, n_tokens] each: 0 or -infinity
  ggml_tensor* logits = nullptr;   // f32 [n_vocab, n_outputs]; null without outputs or head
  ggml_tensor* states = nullptr;   // f32 [n_embd, n_outputs]: what the head reads; null: not wanted
  std::vector<ggml_tensor*> taps;  // f32 [n_embd, n_tokens] each, in the order of shape.taps
};

/// What a graph is built from, beside its shape.
struct GraphContext {
  const ModelConfig& config;
  const ModelWeights& weights;
  const KvStorage& storage;
  int context_length = 0;  ///< decides between long and short RoPE factors
  FlashAttention flash_attention = FlashAttention::automatic;
};

/// The graph as a pure function of model and shape. A skipped sublayer adds no node (one for its
/// scale, when it has one).
DecoderGraph build_decoder_graph(const GraphContext& context, const GraphShape& shape);

/// Memory for the books of a graph with so many nodes; their values come from elsewhere.
ggml_context_ptr make_graph_context(std::size_t nodes);

/// Nodes no graph of this model exceeds.
std::size_t max_graph_nodes(const ModelConfig& config, std::size_t n_taps);

}  // namespace litestage
