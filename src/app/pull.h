#pragma once

#include <string>

#include "litestage/model_store.h"

namespace litestage::app {

/// `pull_model` with a progress bar on standard error; Ctrl-C interrupts it in order.
/// @param options their callbacks are replaced
PullResult pull_with_progress(const std::string& reference, PullOptions options);

}  // namespace litestage::app
