#include "model/pool_worker.h"

#include <algorithm>
#include <utility>

namespace litestage {
namespace {

using std::chrono::milliseconds;

/// How long a batch waits for clients who were just served: a part of what a batch takes, as one
/// that comes too late waits for all of it.
constexpr int PART_OF_BATCH = 4;
constexpr auto SHORTEST_GATHERING = milliseconds(1);
constexpr auto LONGEST_GATHERING = milliseconds(10);

/// So long after a step of decoding a client is thought to come with the next one.
constexpr auto DECODING = milliseconds(100);

/// A client between two calls that has been silent for so long need not be about to let go of its
/// cells: nobody waits for them.
constexpr auto ACTIVE = milliseconds(2000);
/// How often those who wait for room look whether they should stop.
constexpr auto ROOM_POLL = milliseconds(5);

/// Lets go of a lock for a while.
class Unlocked {
 public:
  explicit Unlocked(std::unique_lock<std::mutex>& lock) : lock_(lock) { lock_.unlock(); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
  ~Unlocked() { lock_.lock(); }

 private:
  std::unique_lock<std::mutex>& lock_;
};

}  // namespace

PoolWorker::PoolWorker(std::shared_ptr<const Model> model, const DecoderOptions& options)
    : decoder_(std::move(model), options) {
  // A batch that others need as well is not stopped for one.
  decoder_.set_interrupt([this] {
    return std::all_of(running_.begin(), running_.end(),
                       [](const PoolCall* call) { return call->interrupt_asked(); });
  });
  thread_ = std::thread([this] { work(); });
}

PoolWorker::~PoolWorker() {
  {
    const Lock lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void PoolWorker::attach(PoolMember& member) {
  const Lock lock(mutex_);
  members_.push_back(&member);
}

void PoolWorker::detach(PoolMember& member) {
  const Lock lock(mutex_);
  std::erase(members_, &member);
  tell_of_room();
}

SequenceId PoolWorker::take_id() {
  if (free_ids_.empty()) return next_id_++;
  return free_ids_.extract(free_ids_.begin()).value();
}

void PoolWorker::give_id_back(SequenceId id) {
  free_ids_.insert(id);
}

HeldPrefix PoolWorker::held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                                   KvReuse reuse) const {
  const KvCells& cells = decoder_.cells();
  const std::vector<bool> usable = cells.usable(mask, reuse);
  HeldPrefix best;
  for (const SequenceId id : cells.sequences()) {
    const auto partly = ready_.find(id);
    const int held = cells.held_length(id, tokens, usable);
    const int length = partly == ready_.end() ? held : std::min(held, partly->second);
    if (length > best.length) best = {id, length};
  }
  return best;
}

DecoderPool::Statistics PoolWorker::statistics() {
  const Lock lock(mutex_);
  return statistics_;
}

void PoolWorker::compute(PoolCall& call) {
  Lock lock(mutex_);
  list_sequences(call.batch, call.sequences);
  ++statistics_.calls;
  call.member.calling = true;
  call.member.expected = false;
  try {
    decoder_.refuse_missing(call.sequences, call.key.mask);
  } catch (...) {
    return fail(call, std::current_exception());
  }
  calls_.push_back(&call);
  wake_.notify_one();
  call.member.finished.wait(lock, [&] { return call.done; });
}

void PoolWorker::work() {
  Lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return closing_ || !calls_.empty(); });
    if (calls_.empty()) return;
    gather(lock);
    end_interrupted(lock);
    admit_all();
    const auto ubatch = static_cast<std::size_t>(decoder_.options().ubatch);
    const std::vector<Piece> pieces = choose_batch(calls_, ubatch, someone_decodes());
    if (!pieces.empty()) {
      compute_batch(pieces, lock);
    } else if (!calls_.empty()) {
      wait_for_room(lock);
    }
  }
}

/// Waits shortly for clients who were in the last batches under the mask that comes next. Those who
/// do not come in time are not waited for again.
void PoolWorker::gather(Lock& lock) {
  const Clock::duration time = std::clamp<Clock::duration>(batch_time_ / PART_OF_BATCH,
                                                           SHORTEST_GATHERING, LONGEST_GATHERING);
  const auto first = std::find_if(calls_.begin(), calls_.end(),
                                  [](const PoolCall* call) { return !call->lacks_room; });
  if (first == calls_.end()) return;
  const BatchKey& key = (*first)->key;
  const bool complete = wake_.wait_until(lock, batch_ended_ + time, [&] {
    return std::none_of(members_.begin(), members_.end(), [&](const PoolMember* member) {
      return member->expected && member->last == key;
    });
  });
  if (complete) return;
  for (PoolMember* member : members_)
    member->expected = false;
}

/// Interrupt functions are called without the lock, as they may take locks of their own. Calls
/// come, but only this thread lets them go.
void PoolWorker::end_interrupted(Lock& lock) {
  std::vector<PoolCall*> asked = calls_;
  {
    const Unlocked unlocked(lock);
    std::erase_if(asked, [](const PoolCall* call) { return !call->interrupt_asked(); });
  }
  for (PoolCall* call : asked)
    interrupt(*call);
}

void PoolWorker::admit_all() {
  const std::vector<PoolCall*> waiting = calls_;
  for (PoolCall* call : waiting) {
    if (call->admitted) continue;
    try {
      if (!admit(*call)) interrupt(*call);
    } catch (...) {
      fail(*call, std::current_exception());
    }
  }
}

/// Promises a call its cells, if there are as many. What must be backfilled is computed at once,
/// with the books closed. False when that was interrupted.
bool PoolWorker::admit(PoolCall& call) {
  const SublayerMask& mask = call.key.mask;
  const std::size_t anew = decoder_.cells_to_backfill(call.sequences, mask);
  const std::size_t needed = call.batch.size() + anew;
  if (needed > static_cast<std::size_t>(free_cells())) {
    if (is_hopeless(call)) decoder_.refuse_room(needed, free_cells());
    call.lacks_room = true;
    return true;
  }
  call.lacks_room = false;
  if (anew > 0) {
    running_ = {&call};
    if (!decoder_.backfill(call.sequences, mask, call.result.backfilled)) return false;
  }
  for (const SequenceId sequence : call.sequences)
    call.lengths[sequence] = decoder_.length(sequence);
  promised_ += call.batch.size();
  call.admitted = true;
  return true;
}

/// Whether a call would not fit even if its client had all the cells.
bool PoolWorker::is_hopeless(const PoolCall& call) const {
  std::set<std::int32_t> own;
  for (const auto& [number, id] : call.member.ids) {
    const auto held = decoder_.cells().sequence(id);
    own.insert(held.begin(), held.end());
  }
  const auto capacity = static_cast<std::size_t>(decoder_.cells().capacity());
  return own.size() + call.batch.size() +
             decoder_.cells_to_backfill(call.sequences, call.key.mask) >
         capacity;
}

bool PoolWorker::holds_cells(const PoolMember& member) const {
  return member.borrowed.has_value() ||
         std::any_of(member.ids.begin(), member.ids.end(),
                     [&](const auto& id) { return decoder_.length(id.second) > 0; });
}

bool PoolWorker::someone_may_let_go() const {
  const Clock::time_point now = Clock::now();
  return std::any_of(members_.begin(), members_.end(), [&](const PoolMember* member) {
    return !member->calling && now - member->served < ACTIVE && holds_cells(*member);
  });
}

/// All calls wait for room. When no active client can make any, the youngest call that gives some
/// back by failing fails.
void PoolWorker::wait_for_room(Lock& lock) {
  if (someone_may_let_go()) {
    wake_.wait_for(lock, ROOM_POLL);
    return;
  }
  const auto youngest = std::find_if(calls_.rbegin(), calls_.rend(), [&](const PoolCall* call) {
    return holds_cells(call->member);
  });
  PoolCall& call = youngest == calls_.rend() ? *calls_.back() : **youngest;
  try {
    decoder_.refuse_room(call.batch.size(), free_cells());
  } catch (...) {
    fail(call, std::current_exception());
  }
}

bool PoolWorker::someone_decodes() const {
  const Clock::time_point now = Clock::now();
  return std::any_of(members_.begin(), members_.end(), [&](const PoolMember* member) {
    return !member->calling && member->decodes && now - member->served < DECODING;
  });
}

void PoolWorker::compute_batch(const std::vector<Piece>& pieces, Lock& lock) {
  const Clock::time_point begin = Clock::now();
  running_.clear();
  for (const Piece& piece : pieces)
    running_.push_back(piece.call);
  std::vector<bool> asked;
  bool done = false;
  std::exception_ptr error;
  try {
    done = run(pieces, lock, asked);
  } catch (...) {
    error = std::current_exception();
  }
  batch_ended_ = Clock::now();
  batch_time_ = batch_ended_ - begin;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    PoolCall& call = *pieces[i].call;
    if (error) {
      fail(call, error);
    } else if (!done || asked[i]) {
      interrupt(call);
    } else if (call.left() == 0) {
      finish(call);
    } else {  // behind all others
      std::erase(calls_, &call);
      calls_.push_back(&call);
    }
  }
  ready_.clear();
}

/// @param asked for each piece, whether its client wants to stop
/// @return false when the batch was stopped
bool PoolWorker::run(const std::vector<Piece>& pieces, Lock& lock, std::vector<bool>& asked) {
  place(pieces);
  const PoolCall& first = *pieces.front().call;
  BatchCompute& compute = decoder_.compute();
  const std::int64_t built = compute.statistics().built;
  compute.prepare(placed_, first.key.mask, first.taps, first.key.preview);
  const bool is_new = compute.statistics().built > built;
  for (const Piece& piece : pieces) {
    Decoder::GraphStatistics& own = piece.call->member.graph_statistics;
    ++(is_new ? own.built : own.reused);
    own.nodes = compute.statistics().nodes;
  }
  {
    const Unlocked unlocked(lock);
    if (!compute.run()) return false;
    deliver(pieces);
    for (const Piece& piece : pieces)
      asked.push_back(piece.call->interrupt_asked());
  }
  ++statistics_.batches;
  statistics_.tokens += static_cast<std::int64_t>(placed_.size());
  return true;
}

void PoolWorker::place(const std::vector<Piece>& pieces) {
  placed_.clear();
  for (const Piece& piece : pieces) {
    for (const BatchToken& token : piece.batch)
      ready_.try_emplace(token.sequence, decoder_.length(token.sequence));
    decoder_.place(piece.batch, piece.call->key.mask, piece.call->only, placed_);
    piece.call->placed += piece.batch.size();
  }
  promised_ -= placed_.size();
}

/// Gives each client its rows. They wait, so that nobody looks.
void PoolWorker::deliver(const std::vector<Piece>& pieces) {
  BatchCompute& compute = decoder_.compute();
  const auto n_vocab = static_cast<std::size_t>(decoder_.model().vocabulary_size());
  std::span<const float> logits = compute.take_logits();
  std::size_t row = 0;
  for (const Piece& piece : pieces) {
    PoolCall& call = *piece.call;
    const std::span<const BatchToken> batch = piece.batch;
    const std::ptrdiff_t rows = std::count_if(
        batch.begin(), batch.end(), [](const BatchToken& token) { return token.want_logits; });
    const bool whole = call.only.empty();
    const auto own =
        logits.first(static_cast<std::size_t>(rows) * (whole ? n_vocab : call.only.size()));
    call.logits.insert(call.logits.end(), own.begin(), own.end());
    logits = logits.subspan(own.size());
    call.result.rows += static_cast<int>(rows);
    const bool previewed = whole && !compute.whole_rows().empty();
    for (std::ptrdiff_t i = 0; i < rows && previewed; ++i, ++row) {
      ++call.member.head_statistics.previewed;
      if (compute.whole_rows()[row]) ++call.member.head_statistics.full;
    }
    for (std::size_t i = 0; i < call.taps.size(); ++i)
      compute.read_tap(i, call.tap_values[i]);
  }
}

/// Leaves the cache as it was before a call.
void PoolWorker::take_back(PoolCall& call) {
  for (const auto& [sequence, length] : call.lengths)
    decoder_.truncate(sequence, length);
}

void PoolWorker::interrupt(PoolCall& call) {
  take_back(call);
  call.result = {};
  call.result.interrupted = true;
  finish(call);
}

void PoolWorker::fail(PoolCall& call, std::exception_ptr error) {
  take_back(call);
  call.error = std::move(error);
  finish(call);
}

void PoolWorker::finish(PoolCall& call) {
  std::erase(calls_, &call);
  if (call.admitted) promised_ -= call.left();
  PoolMember& member = call.member;
  member.calling = false;
  member.served = Clock::now();
  member.expected = !call.error && call.taps.empty();
  member.decodes = call.decodes();
  member.last = call.key;
  call.done = true;
  member.finished.notify_one();
}

}  // namespace litestage
