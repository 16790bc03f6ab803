// Who works on what: order, a bounded queue, and cells that are never promised twice.
#include "serve/scheduler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include <nlohmann/json.hpp>

namespace litestage::serve {
namespace {

class SilentExchange final : public Exchange {
  void do_reply(Reply /*reply*/) override {}
  void do_begin_events() override {}
  void do_send(std::string /*bytes*/) override {}
  void do_end_events() override {}
};

std::shared_ptr<Job> new_job() {
  auto job = std::make_shared<Job>();
  job->exchange = std::make_shared<SilentExchange>();
  return job;
}

const auto NOTHING_KEPT = [] {};

/// Whether a future is still open after a moment: what must not happen does not happen soon.
template <typename T>
bool still_waits(const std::future<T>& future) {
  return future.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout;
}

TEST(Scheduler, FirstComeFirstServed) {
  Scheduler scheduler(1, 100, 4);
  const auto first = new_job();
  const auto second = new_job();
  ASSERT_TRUE(scheduler.push(first));
  ASSERT_TRUE(scheduler.push(second));
  EXPECT_EQ(scheduler.next(0).job, first);
  EXPECT_EQ(scheduler.running(), 1);
  scheduler.release(0, 0);
  EXPECT_EQ(scheduler.next(0).job, second);
  EXPECT_LT(first->ticket, second->ticket);
}

TEST(Scheduler, AFullQueueTakesNoMore) {
  Scheduler scheduler(1, 100, 2);
  EXPECT_TRUE(scheduler.push(new_job()));
  const auto second = new_job();
  EXPECT_TRUE(scheduler.push(second));
  EXPECT_FALSE(scheduler.push(new_job()));
  EXPECT_EQ(scheduler.queued(), 2U);
  EXPECT_TRUE(scheduler.remove(*second->exchange));
  EXPECT_FALSE(scheduler.remove(*second->exchange));
  EXPECT_TRUE(scheduler.push(new_job()));
}

TEST(Scheduler, WithoutAQueueAnIdleWorkerStillTakesAJob) {
  Scheduler scheduler(1, 100, 0);
  EXPECT_FALSE(scheduler.push(new_job()));
  auto taken = std::async(std::launch::async, [&] { return scheduler.next(0); });
  const auto job = new_job();
  while (!scheduler.push(job))
    std::this_thread::yield();
  EXPECT_EQ(taken.get().job, job);
  EXPECT_FALSE(scheduler.push(new_job()));
}

TEST(Scheduler, CloseEndsWaitingWorkers) {
  Scheduler scheduler(1, 100, 2);
  auto taken = std::async(std::launch::async, [&] { return scheduler.next(0); });
  scheduler.close();
  EXPECT_EQ(taken.get().wanted, Scheduler::Wanted::stop);
  EXPECT_FALSE(scheduler.push(new_job()));
}

/// Two workers that have a job each.
class SchedulerCells : public testing::Test {
 protected:
  SchedulerCells() {
    for (const int worker : {0, 1}) {
      jobs_[worker] = new_job();
      scheduler_.push(jobs_[worker]);
      scheduler_.next(worker);
    }
  }

  std::future<bool> reserve(int worker, int needed) {
    return std::async(std::launch::async, [this, worker, needed] {
      return scheduler_.reserve(worker, *jobs_[worker], 0, needed, NOTHING_KEPT);
    });
  }

  Scheduler scheduler_{2, 100, 4};
  std::shared_ptr<Job> jobs_[2];
};

TEST_F(SchedulerCells, ASecondJobWaitsForCells) {
  EXPECT_TRUE(reserve(0, 70).get());
  auto second = reserve(1, 40);
  EXPECT_TRUE(still_waits(second));
  scheduler_.release(0, 0);
  EXPECT_TRUE(second.get());
}

TEST_F(SchedulerCells, WhatFitsBesideDoesNotWait) {
  EXPECT_TRUE(reserve(0, 70).get());
  EXPECT_TRUE(reserve(1, 30).get());
}

TEST_F(SchedulerCells, KeptCellsAreDroppedForAnotherWorkersJob) {
  EXPECT_TRUE(reserve(0, 70).get());
  scheduler_.release(0, 60);
  auto idle = std::async(std::launch::async, [&] { return scheduler_.next(0); });
  auto second = reserve(1, 50);
  EXPECT_EQ(idle.get().wanted, Scheduler::Wanted::drop_kept);
  EXPECT_TRUE(still_waits(second));
  scheduler_.release(0, 0);
  EXPECT_TRUE(second.get());
}

TEST_F(SchedulerCells, OwnKeptCellsAreDroppedWhenTheyAreInTheWay) {
  bool dropped = false;
  EXPECT_TRUE(scheduler_.reserve(0, *jobs_[0], 30, 70, [&] { dropped = true; }));
  EXPECT_FALSE(dropped);
  scheduler_.release(0, 30);
  EXPECT_TRUE(scheduler_.reserve(0, *jobs_[0], 30, 90, [&] { dropped = true; }));
  EXPECT_TRUE(dropped);
}

TEST_F(SchedulerCells, WhoWaitsForCellsGoesFirst) {
  EXPECT_TRUE(reserve(0, 70).get());
  auto waiting = reserve(1, 80);
  EXPECT_TRUE(still_waits(waiting));
  scheduler_.release(0, 0);
  EXPECT_TRUE(waiting.get());
  auto later = reserve(0, 30);
  EXPECT_TRUE(still_waits(later));
  scheduler_.release(1, 0);
  EXPECT_TRUE(later.get());
}

TEST_F(SchedulerCells, ACancelledJobWaitsNoLonger) {
  EXPECT_TRUE(reserve(0, 70).get());
  auto waiting = reserve(1, 40);
  EXPECT_TRUE(still_waits(waiting));
  jobs_[1]->exchange->cancel(Cancellation::disconnected);
  scheduler_.wake();
  EXPECT_FALSE(waiting.get());
}

TEST(Scheduler, ManyJobsOnFewCellsAllGetThrough) {
  constexpr int WORKERS = 4;
  constexpr int JOBS = 400;
  constexpr int CELLS = 100;
  Scheduler scheduler(WORKERS, CELLS, JOBS);
  std::atomic<int> used{0};
  std::atomic<int> done{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  threads.reserve(WORKERS);
  for (int index = 0; index < WORKERS; ++index) {
    threads.emplace_back([&, index] {
      int kept = 0;
      while (true) {
        const Scheduler::Assignment next = scheduler.next(index);
        if (next.wanted == Scheduler::Wanted::stop) return;
        if (next.wanted == Scheduler::Wanted::drop_kept) {
          used -= kept;
          kept = 0;
        } else {
          const int needed = 1 + static_cast<int>(next.job->ticket * 37 % CELLS);
          const auto drop = [&] {
            used -= kept;
            kept = 0;
          };
          ASSERT_TRUE(scheduler.reserve(index, *next.job, kept, needed, drop));
          if ((used += needed) > CELLS) exceeded = true;
          std::this_thread::yield();
          const int keeps = needed / 2;
          used -= needed - keeps;
          kept += keeps;
          ++done;
        }
        scheduler.release(index, kept);
      }
    });
  }
  for (int i = 0; i < JOBS; ++i)
    ASSERT_TRUE(scheduler.push(new_job()));
  while (done < JOBS)
    std::this_thread::yield();
  scheduler.close();
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_FALSE(exceeded);
}

}  // namespace
}  // namespace litestage::serve
