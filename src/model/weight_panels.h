#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include <ggml.h>

#include "model/activation_tile.h"

namespace litestage {

/// Rows of weights that are multiplied at a time: one lane of a vector each.
constexpr int PANEL_ROWS = 8;

/// How activations are to be rounded for this type of weights.
/// @returns nothing for types that do not lie in panels
std::optional<ActivationFormat> panel_activations(ggml_type type);

/// Whether a matrix of this type and shape can lie in panels.
/// @param columns,rows inputs and outputs
bool fits_panels(ggml_type type, std::int64_t columns, std::int64_t rows);

/// Lays a matrix out in panels of eight rows, so that one load takes the same columns of all eight.
/// Where the file has eight blocks of eight rows, a panel has one as long as they are together:
/// four bytes of each row in turn. What is left over, a scale of two bytes, stands for all rows in
/// one place: in front for Q4_0, Q5_0 and Q8_0, behind for Q6_K, as in the file.
/// @param rows the matrix as in the file, with fits_panels
/// @param columns of the matrix
/// @param panels as many bytes as `rows`
void lay_out_panels(ggml_type type, std::span<const std::byte> rows, std::int64_t columns,
                    std::span<std::byte> panels, int threads);

}  // namespace litestage
