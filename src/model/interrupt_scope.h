#pragma once

#include <atomic>

#include "litestage/decoder.h"

namespace litestage {

/// Lets `stop` end a decoder's forward calls, as long as this lives. Without one nothing does.
class InterruptScope {
 public:
  InterruptScope(Decoder& decoder, const std::atomic<bool>* stop) : decoder_(decoder) {
    if (stop != nullptr) decoder_.set_interrupt([stop] { return stop->load(); });
  }
  ~InterruptScope() { decoder_.set_interrupt(nullptr); }
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  Decoder& decoder_;
};

}  // namespace litestage
