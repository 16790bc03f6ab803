#pragma once

namespace litestage::app {

/// Sends what ggml and libllama log to stderr when `verbose`, and nowhere otherwise.
void set_up_logging(bool verbose);

}  // namespace litestage::app
