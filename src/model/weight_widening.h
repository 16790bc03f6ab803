#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include <ggml.h>

namespace litestage {

/// The type that holds every value of another type exactly, in more bytes. A CPU may have a layout
/// for the wide one and none for the narrow one. Known is one: the blocks of Q5_0 are whole numbers
/// times a half-precision scale, as those of Q8_0 are.
/// @returns nothing for all other types
std::optional<ggml_type> wider_type(ggml_type type);

/// Writes weights of Q5_0 as Q8_0; each value stays what it was.
/// @param narrow whole blocks of 32 weights
/// @param wide as many blocks
void widen_q5_0(std::span<const std::byte> narrow, std::span<std::byte> wide, int threads);

}  // namespace litestage
