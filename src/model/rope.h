#pragma once

#include <ggml.h>

#include "model/decoder_graph.h"

namespace litestage {

/// The factors that frequencies are divided by: those of the model, or those for short or long
/// contexts; null without any.
ggml_tensor* rope_factors(const GraphContext& context);

/// What a position turns: K or Q of one layer, [head_dim, heads, tokens]. Layers without rotary
/// positions leave it as it is.
/// @param positions i32 [tokens]
ggml_tensor* turn(ggml_context* ctx, const GraphContext& context, ggml_tensor* x,
                  ggml_tensor* positions, int layer);

/// Turns K that was turned already further, by so many positions. Turns add up, so that only the
/// length that some scalings give to a turn must not be given twice.
/// @param by i32 [tokens]
ggml_tensor* turn_further(ggml_context* ctx, const GraphContext& context, ggml_tensor* x,
                          ggml_tensor* by, int layer);

}  // namespace litestage
