#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <thread>
#include <vector>

#include "litestage/decoder_pool.h"
#include "model/local_decoder.h"
#include "model/pool_call.h"

namespace litestage {

/// The decoder that the clients of a pool share, and the thread that computes their calls.
///
/// One thread computes all: ggml keeps a team of threads for each thread that calls it. The books
/// of cells are open to clients while a graph runs, which looks at none of them; that is why a
/// prefix whose values are being computed counts as held only afterwards (`ready`).
class PoolWorker {
 public:
  /// @throws UserError as Decoder does
  PoolWorker(std::shared_ptr<const Model> model, const DecoderOptions& options);
  /// No client may be left.
  ~PoolWorker();
  PoolWorker(const PoolWorker&) = delete;
  PoolWorker& operator=(const PoolWorker&) = delete;

  /// Of `cells()`, of all functions that say so, and of all members' fields.
  std::mutex& mutex() { return mutex_; }

  const LocalDecoder& decoder() const { return decoder_; }
  KvCells& cells() { return decoder_.cells(); }  ///< with the mutex held

  void attach(PoolMember& member);
  void detach(PoolMember& member);

  /// A number for a sequence that no client has. With the mutex held, as the next three.
  SequenceId take_id();
  void give_id_back(SequenceId id);
  /// Cells that no call has and none is promised.
  int free_cells() const { return decoder_.free_cells() - static_cast<int>(promised_); }
  /// What any client's sequences hold, in the pool's numbers.
  HeldPrefix held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                         KvReuse reuse) const;
  /// Calls that wait for room look again.
  void tell_of_room() { wake_.notify_one(); }

  /// Computes a call that LocalDecoder::check has passed, and returns when it is done.
  void compute(PoolCall& call);

  DecoderPool::Statistics statistics();

 private:
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;

  void work();
  void gather(Lock& lock);
  void end_interrupted(Lock& lock);
  void admit_all();
  bool admit(PoolCall& call);
  bool is_hopeless(const PoolCall& call) const;
  void wait_for_room(Lock& lock);
  bool holds_cells(const PoolMember& member) const;
  bool someone_may_let_go() const;
  bool someone_decodes() const;
  void compute_batch(const std::vector<Piece>& pieces, Lock& lock);
  bool run(const std::vector<Piece>& pieces, Lock& lock, std::vector<bool>& asked);
  void place(const std::vector<Piece>& pieces);
  void deliver(const std::vector<Piece>& pieces);
  void take_back(PoolCall& call);
  void interrupt(PoolCall& call);
  void fail(PoolCall& call, std::exception_ptr error);
  void finish(PoolCall& call);

  std::mutex mutex_;
  LocalDecoder decoder_;
  std::condition_variable wake_;  ///< of the thread
  std::vector<PoolMember*> members_;
  std::vector<PoolCall*> calls_;     ///< the longest waiting first
  std::size_t promised_ = 0;         ///< cells of admitted calls that are not placed yet
  std::map<SequenceId, int> ready_;  ///< lengths without what is being computed
  std::set<SequenceId> free_ids_;
  SequenceId next_id_ = 0;
  DecoderPool::Statistics statistics_;
  bool closing_ = false;

  // Of the thread alone.
  std::vector<PoolCall*> running_;  ///< calls that are being computed
  std::vector<PlacedToken> placed_;
  Clock::time_point batch_ended_;
  Clock::duration batch_time_ = {};

  std::thread thread_;
};

}  // namespace litestage
