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

  /// A decoder for one thread at a time, with sequences numbered from 0. They go with it.
  ///
  /// Cells are common: a call that finds too few waits while another active client may let go of
  /// some, and throws UserError otherwise (docs/decisions/0011-decoder-pool.md). The interrupt
  /// function ends the client's own call within one batch; it is called on the pool's thread and
  /// must not call the client. What held_prefix finds at another client has a negative number that
  /// can only be forked from, until the client's next held_prefix or forward call.
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
