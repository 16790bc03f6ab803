#pragma once

#include <cstddef>

#include <ggml.h>

#include "model/weight_panels.h"

namespace litestage {

/// Whether this CPU has the instructions that the kernel is written in: AVX2, FMA and F16C.
bool cpu_has_panel_kernel();

/// Products of eight rows of weights with all tokens of a batch. Sums within a block are whole
/// numbers, as in ggml's own products; those of blocks are added as floats.
/// To be called only where cpu_has_panel_kernel says so.
/// @param type one that panel_activations knows
/// @param panel eight rows, laid out (lay_out_panels)
/// @param columns a multiple of the block's length
/// @param activations the batch's tiles, one behind the other (tile_of)
/// @param products [n_tokens] times eight floats, `stride` floats apart
void multiply_panel(ggml_type type, const std::byte* panel, int columns,
                    const std::byte* activations, int n_tokens, float* products,
                    std::size_t stride);

}  // namespace litestage
