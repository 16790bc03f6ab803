#pragma once

#include <atomic>

namespace litestage::app {

/// From now on Ctrl-C (SIGINT) and SIGTERM set a flag instead of ending the process; a second one
/// ends it at once.
/// @return the flag, false at first
const std::atomic<bool>& catch_stop_signals();

}  // namespace litestage::app
