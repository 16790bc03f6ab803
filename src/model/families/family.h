#pragma once

#include <span>
#include <string_view>

#include "model/model_config.h"

namespace litestage {

/// Where a family normalises queries and keys.
enum class QkNorm : std::uint8_t {
  none,
  per_head,  ///< each head by itself
  whole,     ///< all heads together, before they are split
};

/// What makes one architecture differ from the common decoder layer
///
///     x += residual_scale * post_norm(attention(pre_norm(x)))
///     x += residual_scale * post_norm(ffn(pre_norm(x)))
///
/// with gated FFN and RMS norms. A new dense family is one such value in a file of its own, listed
/// in families.cpp; docs/families.md walks through one.
struct Family {
  std::string_view architecture;  ///< general.architecture, which is also the prefix of its keys
  RopeKind rope = RopeKind::halves;
  Activation activation = Activation::silu;
  bool pre_norm = true;
  bool post_norm = false;
  QkNorm qk_norm = QkNorm::none;
  bool fused_gate_up = false;  ///< gate and up projections in one tensor, gate first
  /// Scale queries themselves, not their products with keys: the same but for rounding, which a
  /// half precision cache shows.
  bool scale_queries = false;
  /// Reads the keys that only this family has; may be null.
  void (*configure)(const GgufFile& file, ModelConfig& config) = nullptr;
};

extern const Family LLAMA, QWEN2, QWEN3, GEMMA3, PHI3, SMOLLM3, OLMO2, GRANITE;

/// All families, by name.
std::span<const Family* const> families();

/// Reads the sliding window's pattern: an array of flags, one number, or every `fallback`-th layer
/// seeing everything.
void read_window(const GgufFile& file, ModelConfig& config, int fallback);

}  // namespace litestage
