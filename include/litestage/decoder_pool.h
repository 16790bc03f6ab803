#pragma once

#include <cstdint>
#include <memory>

#include "litestage/decoder.h"

namespace litestage {

class PoolWorker;  // src/model/pool_worker.h

/// One set of weights and KV cells that several threads use at once: what they compute at the same
/// time under the same mask is computed in one batch, so that the weights are read once for all.
///
/// Each thread has a client, a Decoder like any other: sequences of its own, numbered by itself,
/// which no other client sees. What one client has read, another one's `held_prefix` finds (a
/// program's preamble is there once). Logits differ from those of a decoder alone by the rounding
/// of another batch size.
class DecoderPool {
 public:
  /// @param preview for HeadUse::preview; may be null
  /// @throws UserError as Decoder does
  DecoderPool(std::shared_ptr<const Model> model, const DecoderOptions& options,
              std::shared_ptr<const HeadPreview> preview = nullptr);
  /// All clients must be gone.
  ~DecoderPool();
  DecoderPool(const DecoderPool&) = delete;
  DecoderPool& operator=(const DecoderPool&) = delete;

  /// A decoder for one thread at a time. Its sequences go with it.
  Decoder client();

  struct Statistics {
    std::int64_t calls = 0;    ///< forward calls of clients
    std::int64_t batches = 0;  ///< that were computed for them
    std::int64_t tokens = 0;
  };
  Statistics statistics() const;

 private:
  std::shared_ptr<PoolWorker> worker_;
  std::shared_ptr<const HeadPreview> preview_;
};

}  // namespace litestage
