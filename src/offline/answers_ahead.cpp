#include "offline/answers_ahead.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <future>
#include <vector>

#include "litestage/error.h"

namespace litestage {
namespace {

/// One thread's part: questions that no other thread has taken, until there are none.
void answer_some(DecoderPool& pool, const Program& program, const PipelineOptions& options,
                 std::span<const Question> questions, std::atomic<std::size_t>& taken,
                 const std::atomic<bool>* stop) {
  Decoder client = pool.client();
  Pipeline pipeline(client, program, options);
  for (std::size_t i = taken++; i < questions.size(); i = taken++) {
    try {
      if (pipeline.answer(questions[i], nullptr, stop).interrupted) return;
    } catch (const UserError&) {
      continue;
    }
  }
}

}  // namespace

void answer_ahead(DecoderPool& pool, int at_once, const Program& program,
                  const PipelineOptions& options, std::span<const Question> questions,
                  const std::atomic<bool>* stop) {
  assert(at_once >= 1 && options.memo != nullptr);
  std::atomic<std::size_t> taken = 0;
  std::vector<std::future<void>> threads;
  const std::size_t count = std::min(questions.size(), static_cast<std::size_t>(at_once));
  for (std::size_t i = 0; i < count; ++i) {
    threads.push_back(std::async(
        std::launch::async, [&] { answer_some(pool, program, options, questions, taken, stop); }));
  }
  for (std::future<void>& thread : threads)
    thread.wait();  // all of them, before the first error leaves what they work on
  for (std::future<void>& thread : threads)
    thread.get();
}

}  // namespace litestage
