#pragma once

#include <memory>

#include "app/bench_libllama.h"
#include "litestage/decoder.h"

namespace litestage::app {

/// libllama behind the interface that stages are written for, so that the very same stages can be
/// run by llama_decode: prefixes are kept, sequences fork without copying, branches are one batch.
/// It leaves nothing out; masks, taps and previews are not for it, and a whole mask's KV is all it
/// holds.
/// @param model of the same file, for the vocabulary
/// @throws UserError when libllama makes no such context
Decoder make_libllama_decoder(const LibllamaModel& libllama, std::shared_ptr<const Model> model,
                              const DecoderOptions& options);

}  // namespace litestage::app
