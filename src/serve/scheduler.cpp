#include "serve/scheduler.h"

#include <algorithm>
#include <utility>

namespace litestage::serve {

Scheduler::Scheduler(int workers, int cells, std::size_t longest_queue)
    : capacity_(cells), longest_queue_(longest_queue), slots_(static_cast<std::size_t>(workers)) {}

bool Scheduler::push(std::shared_ptr<Job> job) {
  const std::scoped_lock lock(mutex_);
  // A job that a worker is about to take does not wait.
  const auto idle = static_cast<std::size_t>(std::ranges::count_if(slots_, &Slot::idle));
  if (closed_ || queue_.size() >= longest_queue_ + idle) return false;
  job->ticket = ++tickets_;
  queue_.push_back(std::move(job));
  changed_.notify_all();
  return true;
}

bool Scheduler::remove(const Exchange& exchange) {
  const std::scoped_lock lock(mutex_);
  return std::erase_if(queue_, [&](const std::shared_ptr<Job>& job) {
           return job->exchange.get() == &exchange;
         }) > 0;
}

void Scheduler::wake() {
  const std::scoped_lock lock(mutex_);
  changed_.notify_all();
}

void Scheduler::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

/// The worker with the lowest number goes first: what it keeps in the cache serves the most jobs.
bool Scheduler::is_first_idle(int worker) const {
  const auto first = std::ranges::find_if(slots_, &Slot::idle);
  return first - slots_.begin() == worker;
}

Scheduler::Assignment Scheduler::next(int worker) {
  std::unique_lock lock(mutex_);
  Slot& slot = slots_[static_cast<std::size_t>(worker)];
  slot.idle = true;
  changed_.notify_all();
  changed_.wait(
      lock, [&] { return closed_ || slot.evicted || (!queue_.empty() && is_first_idle(worker)); });
  slot.idle = false;
  Assignment assignment;
  if (slot.evicted) {
    slot.evicted = false;
    assignment.wanted = Wanted::drop_kept;
  } else if (!closed_) {
    assignment = {Wanted::work, std::move(queue_.front())};
    queue_.pop_front();
    slot.has_job = true;
  }
  changed_.notify_all();  // another worker may be the first one now
  return assignment;
}

/// Whether a worker may have so many cells beside what all others have.
bool Scheduler::fits(int worker, int cells) const {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (static_cast<int>(i) != worker) cells += slots_[i].cells;
  }
  return cells <= capacity_;
}

void Scheduler::evict_idle() {
  bool any = false;
  for (Slot& slot : slots_) {
    if (!slot.idle || slot.evicted || slot.cells == 0) continue;
    slot.evicted = true;
    any = true;
  }
  if (any) changed_.notify_all();
}

bool Scheduler::reserve(int worker, const Job& job, int kept, int needed,
                        const std::function<void()>& drop_kept) {
  std::unique_lock lock(mutex_);
  Slot& slot = slots_[static_cast<std::size_t>(worker)];
  if (waiting_.empty() && fits(worker, kept + needed)) {
    slot.cells = kept + needed;
    return true;
  }
  // Whoever waits holds nothing: two that wait for each other's cells would wait for ever.
  waiting_.insert(job.ticket);
  lock.unlock();
  drop_kept();
  lock.lock();
  slot.cells = 0;
  changed_.notify_all();
  const auto ready = [&] { return *waiting_.begin() == job.ticket && fits(worker, needed); };
  while (!job.exchange->cancelled().load() && !ready()) {
    if (*waiting_.begin() == job.ticket) evict_idle();
    changed_.wait(lock);
  }
  waiting_.erase(job.ticket);
  changed_.notify_all();
  if (job.exchange->cancelled().load()) return false;
  slot.cells = needed;
  return true;
}

void Scheduler::release(int worker, int kept) {
  const std::scoped_lock lock(mutex_);
  Slot& slot = slots_[static_cast<std::size_t>(worker)];
  slot.has_job = false;
  slot.cells = kept;
  changed_.notify_all();
}

std::size_t Scheduler::queued() const {
  const std::scoped_lock lock(mutex_);
  return queue_.size();
}

int Scheduler::running() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<int>(std::ranges::count_if(slots_, &Slot::has_job));
}

}  // namespace litestage::serve
