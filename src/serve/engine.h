#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "litestage/decoder_pool.h"
#include "serve/scheduler.h"
#include "serve/served_model.h"

namespace litestage::serve {

/// Loads the model to serve; called in a thread of its own.
/// @param stop the program is to end: give up
/// @throws UserError for what is wrong with it
using ModelLoader = std::function<ServedModel(const std::atomic<bool>& stop)>;

struct EngineOptions {
  int workers = 4;                 ///< requests that are answered at the same time
  std::size_t longest_queue = 32;  ///< requests that may wait for a worker
};

/// A model that is loaded in the background, and threads that answer requests with it.
class Engine {
 public:
  /// Begins to load.
  /// @param done called once, in the loader's thread: the model is there, or `failure` says why not
  Engine(ModelLoader loader, const EngineOptions& options, std::function<void()> done);
  /// Gives up what is being done; all exchanges must have been cancelled.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// The model, or null while it loads.
  const ServedModel* served() const;
  /// Why there will be no model; null: there is one, or it is still being loaded.
  std::exception_ptr failure() const;

  /// Puts a request into the queue; the work gets a worker and answers it. What it throws becomes
  /// the answer.
  /// @throws ApiError (503) when the queue is full
  void submit(const std::shared_ptr<Exchange>& exchange,
              std::function<void(Worker&, const Job&)> work);

  struct Load {
    std::size_t queued = 0;
    int running = 0;
    DecoderPool::Statistics pool;
  };
  Load load() const;

 private:
  void load_model();
  void start_workers();
  void work(int index);
  static void run(Worker& worker, const Job& job);

  ModelLoader loader_;
  EngineOptions options_;
  std::function<void()> done_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> ready_{false};
  mutable std::mutex mutex_;  // guards failure_
  std::exception_ptr failure_;
  // Set before ready_ is, and not changed afterwards.
  std::optional<ServedModel> served_;
  std::optional<DecoderPool> pool_;
  std::optional<Scheduler> scheduler_;
  std::vector<std::thread> workers_;
  std::thread loading_;
};

}  // namespace litestage::serve
