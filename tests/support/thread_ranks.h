#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ranks.h"

namespace litestage::test {

/// Ranks that are threads of this process: what the first one gives and is told.
class ThreadRanks {
 public:
  explicit ThreadRanks(int size) : size_(size) {}

  class End : public Ranks {
   public:
    End(ThreadRanks& channel, int rank) : channel_(channel), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return channel_.size_; }
    std::string from_first(const std::string& text) override {
      std::unique_lock lock(channel_.mutex_);
      if (rank_ == 0) channel_.given_.push_back(text);
      channel_.changed_.notify_all();
      channel_.changed_.wait(lock, [&] { return channel_.given_.size() > taken_; });
      return channel_.given_[taken_++];
    }
    void tell_first(std::string text) override {
      const std::scoped_lock lock(channel_.mutex_);
      channel_.told_.push_back(std::move(text));
      channel_.changed_.notify_all();
    }
    std::optional<std::string> hear(bool wait) override {
      std::unique_lock lock(channel_.mutex_);
      if (wait) channel_.changed_.wait(lock, [&] { return !channel_.told_.empty(); });
      if (channel_.told_.empty()) return std::nullopt;
      std::string text = std::move(channel_.told_.front());
      channel_.told_.pop_front();
      return text;
    }

   private:
    ThreadRanks& channel_;
    int rank_;
    std::size_t taken_ = 0;  // texts of the first rank
  };

 private:
  int size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> given_;
  std::deque<std::string> told_;
};

}  // namespace litestage::test
