#pragma once

#include <span>
#include <vector>

#include "litestage/decoder.h"

namespace litestage {

/// A text as its sequence holds it.
struct WrittenText {
  SequenceId sequence = 0;
  int first = 0;              ///< position of its first token
  std::vector<Token> tokens;  ///< those that the model has read: not the last one it wrote
};

/// Where a context quotes texts written side by side: for each, in order, its longest run of tokens
/// behind the one before. Texts are quoted as text, so that tokens at their ends may be others.
/// Runs too short to be worth it are left out.
std::vector<KeptText> find_quoted(std::span<const Token> context,
                                  const std::vector<WrittenText>& texts);

}  // namespace litestage
