#include "stage/side_by_side.h"

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "litestage/error.h"

namespace litestage {
namespace {

/// Answers on their way from the threads that gave them to the one that asked.
class AnswerQueue {
 public:
  explicit AnswerQueue(int writers) : writers_(writers) {}

  void put(std::size_t place, QuestionRecord&& answer) {
    const std::scoped_lock lock(mutex_);
    answers_.emplace_back(place, std::move(answer));
    wake_.notify_one();
  }

  /// One writer will put nothing more.
  void close() {
    const std::scoped_lock lock(mutex_);
    --writers_;
    wake_.notify_one();
  }

  /// Waits for the next one; nothing when all writers have closed.
  std::optional<std::pair<std::size_t, QuestionRecord>> take() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !answers_.empty() || writers_ == 0; });
    if (answers_.empty()) return std::nullopt;
    auto next = std::move(answers_.front());
    answers_.pop_front();
    return next;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<std::size_t, QuestionRecord>> answers_;
  int writers_;
};

/// What the threads have in common.
struct QuestionWork {
  DecoderPool& pool;
  const Program& program;
  const PipelineOptions& options;
  std::span<const Question* const> questions;
  const std::atomic<bool>* stop;
  AnswerQueue answers;
  std::atomic<std::size_t> taken = 0;
};

/// One thread's part: questions that no other thread has taken, until there are none.
void answer_some(QuestionWork& work) {
  Decoder client = work.pool.client();
  Pipeline pipeline(client, work.program, work.options);
  for (std::size_t i = work.taken++; i < work.questions.size(); i = work.taken++) {
    try {
      QuestionRecord answer = pipeline.answer(*work.questions[i], nullptr, work.stop);
      if (answer.interrupted) return;
      work.answers.put(i, std::move(answer));
    } catch (const UserError&) {
      continue;
    }
  }
}

/// Closes its part of the queue however it is left.
void answer_some_and_close(QuestionWork& work) {
  struct Closing {
    AnswerQueue& answers;
    ~Closing() { answers.close(); }
  } const closing{work.answers};
  answer_some(work);
}

}  // namespace

void answer_side_by_side(DecoderPool& pool, int at_once, const Program& program,
                         const PipelineOptions& options, std::span<const Question* const> questions,
                         const TakeAnswer& take, const std::atomic<bool>* stop) {
  assert(at_once >= 1);
  const auto count =
      static_cast<int>(std::min(questions.size(), static_cast<std::size_t>(at_once)));
  QuestionWork work{pool, program, options, questions, stop, AnswerQueue(count)};
  std::vector<std::future<void>> threads;
  for (int i = 0; i < count; ++i)
    threads.push_back(std::async(std::launch::async, [&work] { answer_some_and_close(work); }));
  try {
    while (auto answer = work.answers.take()) {
      if (take) take(answer->first, std::move(answer->second));
    }
  } catch (...) {
    work.taken = questions.size();  // the threads end with what they have at hand
    for (std::future<void>& thread : threads)
      thread.wait();
    throw;
  }
  for (std::future<void>& thread : threads)
    thread.wait();  // all of them, before the first error leaves what they work on
  for (std::future<void>& thread : threads)
    thread.get();
}

}  // namespace litestage
