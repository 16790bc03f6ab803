#include "model/rope.h"

#include <cmath>

#include "model/families/family.h"
#include "model/model_config.h"
#include "model/model_weights.h"

namespace litestage {
namespace {

const RopeConfig& rope_of(const ModelConfig& config, int layer) {
  return config.is_windowed[static_cast<std::size_t>(layer)] ? config.rope_window : config.rope;
}

ggml_tensor* turn(ggml_context* ctx, const GraphContext& context, ggml_tensor* x,
                  ggml_tensor* positions, int layer, float length) {
  const ModelConfig& config = context.config;
  if (!config.has_rope[static_cast<std::size_t>(layer)]) return x;
  const RopeConfig& rope = rope_of(config, layer);
  const int mode =
      config.family->rope == RopeKind::halves ? GGML_ROPE_TYPE_NEOX : GGML_ROPE_TYPE_NORMAL;
  return ggml_rope_ext(ctx, x, positions, rope_factors(context), config.n_rot, mode,
                       config.n_ctx_orig, rope.base, rope.scale, rope.ext_factor, length,
                       rope.beta_fast, rope.beta_slow);
}

}  // namespace

ggml_tensor* rope_factors(const GraphContext& context) {
  const ModelWeights& weights = context.weights;
  if (weights.rope_factors != nullptr) return weights.rope_factors;
  return context.context_length > context.config.n_ctx_orig ? weights.rope_long
                                                            : weights.rope_short;
}

ggml_tensor* turn(ggml_context* ctx, const GraphContext& context, ggml_tensor* x,
                  ggml_tensor* positions, int layer) {
  return turn(ctx, context, x, positions, layer, rope_of(context.config, layer).attn_factor);
}

ggml_tensor* turn_further(ggml_context* ctx, const GraphContext& context, ggml_tensor* x,
                          ggml_tensor* by, int layer) {
  // ggml gives each turn of YaRN this length.
  const RopeConfig& rope = rope_of(context.config, layer);
  const float yarn = rope.ext_factor != 0.0F ? 1.0F + 0.1F * std::log(1.0F / rope.scale) : 1.0F;
  return turn(ctx, context, x, by, layer, 1.0F / yarn);
}

}  // namespace litestage
