#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include <ggml.h>

namespace litestage {

/// The type that holds every value of another type exactly, in more bytes. A CPU may have a layout
/// for the wide one and none for the narrow one. Known are blocks of whole numbers below 128 times
/// one half-precision scale that no layout is made for: Q5_0, all of whose values Q8_0 has.
/// @returns nothing for a type that no other one is known for
std::optional<ggml_type> wider_type(ggml_type type);

/// Writes weights of Q5_0 as Q8_0; each value stays what it was.
/// @param narrow whole blocks of 32 weights
/// @param wide as many blocks
void widen_q5_0(std::span<const std::byte> narrow, std::span<std::byte> wide, int threads);

}  // namespace litestage
