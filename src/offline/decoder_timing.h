#pragma once

#include <span>
#include <string>

#include "litestage/decoder.h"

namespace litestage {

/// Milliseconds of reading tokens behind what a sequence holds, up to the logits of the last one.
/// @param writes false for a choice, which reads those of a few tokens alone
double timed_reading(Decoder& decoder, SequenceId sequence, std::span<const Token> tokens,
                     const SublayerMask& mask, HeadUse head, bool writes);

/// Milliseconds of so many decode steps, each of one token for every sequence in one batch. One
/// more step goes before them, which may build the graph and is not counted.
/// @param text written token by token, and again from its beginning where it is shorter: what a
/// step takes with a preview of the head depends on the tokens
double timed_steps(Decoder& decoder, std::span<const SequenceId> sequences,
                   std::span<const Token> text, const SublayerMask& mask, int steps, HeadUse head);

/// How greedy stages' logits are computed here: "full", or "preview of 256 dimensions".
std::string head_in_use(const Decoder& decoder);

/// The same for the names of times that are kept: another preview of as many dimensions has another
/// margin, under which it needs the whole head more often or less.
std::string head_identity(const Decoder& decoder);

}  // namespace litestage
