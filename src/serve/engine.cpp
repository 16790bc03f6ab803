#include "serve/engine.h"

#include <exception>
#include <utility>

#include "serve/api_error.h"
#include "serve/worker.h"

namespace litestage::serve {

Engine::Engine(ModelLoader loader, const EngineOptions& options, std::function<void()> done)
    : loader_(std::move(loader)), options_(options), done_(std::move(done)) {
  loading_ = std::thread([this] { load_model(); });
}

Engine::~Engine() {
  stop_.store(true);
  loading_.join();
  if (scheduler_) scheduler_->close();
  for (std::thread& worker : workers_)
    worker.join();
}

void Engine::load_model() {
  try {
    served_ = loader_(stop_);
    start_workers();
    ready_.store(true);
  } catch (...) {
    const std::scoped_lock lock(mutex_);
    failure_ = std::current_exception();
  }
  done_();
}

void Engine::start_workers() {
  pool_.emplace(served_->model, served_->decoder, served_->preview);
  const int cells = pool_->client().options().context;
  scheduler_.emplace(options_.workers, cells, options_.longest_queue);
  for (int index = 0; index < options_.workers; ++index)
    workers_.emplace_back([this, index] { work(index); });
}

const ServedModel* Engine::served() const {
  return ready_.load() ? &*served_ : nullptr;
}

std::exception_ptr Engine::failure() const {
  const std::scoped_lock lock(mutex_);
  return failure_;
}

void Engine::run(Worker& worker, const Job& job) {
  constexpr int BUG = 500;
  try {
    job.work(worker);
  } catch (const UserError& error) {
    job.exchange->fail(error);
  } catch (const std::exception& error) {
    job.exchange->fail(ApiError(BUG, "server_error", "internal_error",
                                std::string("internal error: ") + error.what()));
  }
}

void Engine::work(int index) {
  Worker worker(index, pool_->client(), *scheduler_);
  while (true) {
    const Scheduler::Assignment next = scheduler_->next(index);
    if (next.wanted == Scheduler::Wanted::stop) return;
    if (next.wanted == Scheduler::Wanted::drop_kept) {
      worker.drop_kept();
    } else {
      run(worker, *next.job);
    }
    scheduler_->release(index, worker.kept_cells());
  }
}

void Engine::submit(const std::shared_ptr<Exchange>& exchange,
                    std::function<void(Worker&, const Job&)> work) {
  const auto job = std::make_shared<Job>();
  job->exchange = exchange;
  // The job owns this function: a reference is enough.
  job->work = [work = std::move(work), job = job.get()](Worker& worker) {
    if (job->exchange->cancelled().load()) Exchange::throw_cancelled(job->exchange->why());
    work(worker, *job);
  };
  Exchange* waiting = exchange.get();
  waiting->on_cancel([this, waiting] {
    if (!scheduler_->remove(*waiting)) return scheduler_->wake();
    try {
      Exchange::throw_cancelled(waiting->why());
    } catch (const UserError& error) {
      waiting->fail(error);
    }
  });
  if (!scheduler_->push(job)) {
    waiting->on_cancel(nullptr);
    throw try_later("queue_full",
                    "too many requests are waiting already; try again a little later");
  }
}

Engine::Load Engine::load() const {
  if (!ready_.load()) return {};
  return {scheduler_->queued(), scheduler_->running(), pool_->statistics()};
}

}  // namespace litestage::serve
