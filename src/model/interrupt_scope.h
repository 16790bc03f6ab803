#pragma once

#include <atomic>

#include "litestage/decoder.h"

namespace litestage {

/// Lets `stop` end a decoder's forward calls, as long as this lives, in the place of what did
/// before. Without one all stays as it is.
class InterruptScope {
 public:
  InterruptScope(Decoder& decoder, const std::atomic<bool>* stop)
      : decoder_(stop != nullptr ? &decoder : nullptr) {
    if (stop != nullptr) decoder.set_interrupt([stop] { return stop->load(); });
  }
  ~InterruptScope() {
    if (decoder_ != nullptr) decoder_->set_interrupt(nullptr);
  }
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  Decoder* decoder_;  // null: nothing was set
};

}  // namespace litestage
