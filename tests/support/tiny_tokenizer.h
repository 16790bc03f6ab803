#pragma once

#include <gguf.h>

#include "support/tiny_model.h"

namespace litestage::test {

/// Adds a small valid vocabulary: all 256 bytes, some frequent pieces, and unused entries up to
/// `size`.
void add_tokenizer_keys(gguf_context* keys, TinyTokenizer kind, int size);

}  // namespace litestage::test
