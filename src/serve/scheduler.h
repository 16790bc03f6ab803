#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "serve/exchange.h"

namespace litestage::serve {

class Worker;

/// One request that a worker answers.
struct Job {
  std::shared_ptr<Exchange> exchange;
  std::function<void(Worker&)> work;
  std::uint64_t ticket = 0;  ///< given by the scheduler: lower ones came first
};

/// Who works on what, first come first served, and who may use how many KV cells. Knows no model.
///
/// A worker between two jobs may keep cells (texts that are read before every question). They are
/// taken from it when a job would have no room otherwise.
class Scheduler {
 public:
  /// @param cells that all workers share
  /// @param longest_queue jobs that may wait
  Scheduler(int workers, int cells, std::size_t longest_queue);

  /// @return false: the queue is full, or closed
  bool push(std::shared_ptr<Job> job);
  /// Takes a job back that no worker has yet. @return whether it was there
  bool remove(const Exchange& exchange);
  /// Lets waiting workers look at what was cancelled.
  void wake();
  /// Ends `next` for all workers as soon as they are done with what they do.
  void close();

  enum class Wanted : std::uint8_t { work, drop_kept, stop };
  struct Assignment {
    Wanted wanted = Wanted::stop;
    std::shared_ptr<Job> job;  ///< with Wanted::work
  };
  /// Waits for what a worker is to do next; it is then busy until `release`.
  Assignment next(int worker);
  /// Sets cells aside for a worker's job.
  /// @param kept that it holds already
  /// @param needed beside those, at most all there are
  /// @param drop_kept called when it must let go of those first, without the scheduler's lock
  /// @return false: the exchange was cancelled meanwhile
  bool reserve(int worker, const Job& job, int kept, int needed,
               const std::function<void()>& drop_kept);
  /// A worker is done. @param kept cells that it still holds
  void release(int worker, int kept);

  std::size_t queued() const;
  int running() const;  ///< workers that have a job

 private:
  struct Slot {
    bool idle = false;
    bool has_job = false;
    bool evicted = false;  ///< must let go of what it keeps
    int cells = 0;
  };
  bool is_first_idle(int worker) const;
  bool fits(int worker, int cells) const;
  void evict_idle();

  const int capacity_;
  const std::size_t longest_queue_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::set<std::uint64_t> waiting_;  // tickets of jobs that wait for cells
  std::vector<Slot> slots_;
  std::uint64_t tickets_ = 0;
  bool closed_ = false;
};

}  // namespace litestage::serve
