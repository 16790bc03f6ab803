#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ggml-cpp.h>

#include "litestage/model.h"
#include "model/gguf_file.h"
#include "model/model_config.h"

namespace litestage {

/// Tensors of one layer; null where the model has none. Shapes as ggml counts them: [inputs,
/// outputs].
struct LayerWeights {
  ggml_tensor* attn_norm = nullptr;  // [n_embd]
  ggml_tensor* attn_q = nullptr;     // [n_embd, head_dim * n_head]
  ggml_tensor* attn_k = nullptr;     // [n_embd, n_embd_kv]
  ggml_tensor* attn_v = nullptr;     // [n_embd, n_embd_kv]
  ggml_tensor* attn_qkv = nullptr;   // [n_embd, all three]: instead of the former
  ggml_tensor* attn_q_bias = nullptr;
  ggml_tensor* attn_k_bias = nullptr;
  ggml_tensor* attn_v_bias = nullptr;
  ggml_tensor* attn_qkv_bias = nullptr;
  ggml_tensor* attn_q_norm = nullptr;  // [head_dim], or [head_dim * n_head] for QkNorm::whole
  ggml_tensor* attn_k_norm = nullptr;
  ggml_tensor* attn_out = nullptr;        // [head_dim * n_head, n_embd]
  ggml_tensor* attn_out_bias = nullptr;   // [n_embd]
  ggml_tensor* attn_post_norm = nullptr;  // [n_embd]
  ggml_tensor* ffn_norm = nullptr;        // [n_embd]
  ggml_tensor* ffn_gate = nullptr;        // [n_embd, n_ff]; null when fused into ffn_up
  ggml_tensor* ffn_up = nullptr;          // [n_embd, n_ff], or [n_embd, 2 n_ff] when fused
  ggml_tensor* ffn_down = nullptr;        // [n_ff, n_embd]
  ggml_tensor* ffn_gate_bias = nullptr;
  ggml_tensor* ffn_up_bias = nullptr;
  ggml_tensor* ffn_down_bias = nullptr;
  ggml_tensor* ffn_post_norm = nullptr;  // [n_embd]
  std::array<std::size_t, 2> bytes{};    ///< read by each sublayer, by Sublayer
};

/// A file mapped into memory, read only.
class MappedFile {
 public:
  explicit MappedFile(const GgufFile& file);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  /// Gives pages back that were copied elsewhere.
  void forget(std::size_t offset, std::size_t size) const;

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// All tensors of a model, in the buffers where the graph reads them.
struct ModelWeights {
  ggml_tensor* token_embedding = nullptr;  // [n_embd, n_vocab]
  ggml_tensor* output_norm = nullptr;      // [n_embd]
  ggml_tensor* output = nullptr;           // [n_embd, n_vocab]; the embedding itself when tied
  ggml_tensor* output_bias = nullptr;      // [n_vocab]
  ggml_tensor* rope_factors = nullptr;     // [n_rot / 2] (llama3)
  ggml_tensor* rope_long = nullptr;        // [n_rot / 2] (longrope, contexts above n_ctx_orig)
  ggml_tensor* rope_short = nullptr;
  std::vector<LayerWeights> layers;

  std::size_t total_bytes = 0;
  /// The head as it lies in the mapped file, [n_vocab] rows; null when it is on a device.
  const std::byte* head_rows = nullptr;
  ggml_type head_rows_type = GGML_TYPE_F32;
  std::size_t head_bytes = 0;  ///< read once a decoded token: final norm, head, one embedding row
  ggml_backend_buffer_t panels =
      nullptr;                          ///< where matrices lie in panels (weight_panels.h), or null
  ggml_backend_dev_t device = nullptr;  ///< GPU in use, or null
  int first_device_layer = 0;           ///< layers from here on live on the device

  std::unique_ptr<MappedFile> mapping;
  std::vector<ggml_context_ptr> contexts;
  std::vector<ggml_backend_buffer_ptr> buffers;
};

/// Finds, checks and loads every tensor.
/// @throws UserError for a missing tensor, one of the wrong shape or type, one that no supported
/// family has, and data that ends before the file says so
std::unique_ptr<ModelWeights> load_weights(const GgufFile& file, const ModelConfig& config,
                                           const ModelOptions& options);

}  // namespace litestage
