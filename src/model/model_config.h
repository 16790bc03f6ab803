#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/gguf_file.h"

namespace litestage {

struct Family;

/// How positions are rotated into queries and keys.
enum class RopeKind : std::uint8_t {
  pairs,   ///< neighbouring elements form a pair (ggml's NORMAL)
  halves,  ///< element i pairs with i + n/2 (ggml's NEOX)
};

enum class Activation : std::uint8_t { silu, gelu };

/// RoPE parameters of one kind of layer, as ggml_rope_ext takes them.
struct RopeConfig {
  float base = 10000.0F;
  float scale = 1.0F;       ///< positions are multiplied by it (linear and YaRN scaling)
  float ext_factor = 0.0F;  ///< YaRN's mix of extrapolation
  float attn_factor = 1.0F;
  float beta_fast = 32.0F;
  float beta_slow = 1.0F;
};

/// Hyperparameters of a model: numbers alone, no weights.
struct ModelConfig {
  const Family* family = nullptr;
  std::string name;
  int n_layers = 0;
  int n_ctx_train = 0;
  int n_embd = 0;
  int n_vocab = 0;
  int n_head = 0;
  int n_head_kv = 0;
  int head_dim = 0;  ///< of queries, keys and values alike
  int n_ff = 0;
  int n_rot = 0;  ///< rotated dimensions of a head
  float rms_eps = 0.0F;

  int n_ctx_orig = 0;             ///< context before RoPE scaling
  RopeConfig rope;                ///< layers that see everything
  RopeConfig rope_window;         ///< layers with a sliding window
  std::vector<bool> has_rope;     ///< [n_layers]
  int window = 0;                 ///< tokens a windowed layer sees; 0: none has a window
  std::vector<bool> is_windowed;  ///< [n_layers]

  float embedding_scale = 1.0F;
  float residual_scale = 1.0F;   ///< of a sublayer's output, before it is added
  float logit_scale = 1.0F;      ///< logits are multiplied by it
  float attention_scale = 0.0F;  ///< of query-key products
  float final_softcap = 0.0F;    ///< 0: none

  int n_embd_kv() const { return head_dim * n_head_kv; }
};

/// Reads the keys all families share, then the family's own.
/// @throws UserError for an unsupported architecture or values that do not fit together
ModelConfig read_model_config(const GgufFile& file);

}  // namespace litestage
