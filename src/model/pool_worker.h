#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "litestage/decoder_pool.h"
#include "model/local_decoder.h"

namespace litestage {

/// What a pool knows of one client.
struct PoolMember {
  std::map<SequenceId, SequenceId> ids;  ///< the client's numbers of living sequences, the pool's
  std::optional<SequenceId> borrowed;    ///< holds what the client's held_prefix found elsewhere
  Decoder::HeadStatistics head_statistics;
  Decoder::GraphStatistics graph_statistics;
};

/// The decoder that the clients of a pool share.
class PoolWorker {
 public:
  PoolWorker(std::shared_ptr<const Model> model, const DecoderOptions& options)
      : decoder_(std::move(model), options) {}

  std::mutex& mutex() { return mutex_; }
  LocalDecoder& decoder() { return decoder_; }
  DecoderPool::Statistics& statistics() { return statistics_; }

  SequenceId take_id() {
    if (free_ids_.empty()) return next_id_++;
    return free_ids_.extract(free_ids_.begin()).value();
  }
  void release_id(SequenceId id) { free_ids_.insert(id); }

 private:
  std::mutex mutex_;
  LocalDecoder decoder_;
  DecoderPool::Statistics statistics_;
  std::set<SequenceId> free_ids_;
  SequenceId next_id_ = 0;
};

}  // namespace litestage
