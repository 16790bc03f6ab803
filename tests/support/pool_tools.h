#pragma once

#include <functional>

#include "litestage/decoder.h"

namespace litestage::test {

/// Calls `work` with 0, 1, ... on as many threads at once, and waits for all.
void on_threads(int count, const std::function<void(int)>& work);

/// F32 cells, one kernel, one thread: logits of any batches differ by the order of sums alone.
DecoderOptions exact_decoder(int context, MissingKv missing_kv = MissingKv::refuse);

}  // namespace litestage::test
