#include "offline/answers_ahead.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <future>
#include <vector>

#include "litestage/error.h"
#include "stage/plan_options.h"

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

Plan full_model(KvReuse kv_reuse) {
  Plan plan;
  plan.kv_reuse = kv_reuse;
  return plan;
}

PipelineOptions remembered_options(const Plan& plan, StageMemo& memo) {
  PipelineOptions options;
  apply_plan(plan, options);
  options.memo = &memo;
  options.record_confidence = true;  // the search of exit rules meets these stages too
  return options;
}

PoolAnswers::PoolAnswers(DecoderPool& pool, int at_once, const Program& program, StageMemo& memo)
    : pool_(pool), at_once_(at_once), program_(program), memo_(memo) {
  assert(at_once >= 1);
}

void PoolAnswers::answer(const Plan& plan, std::span<const Question> questions,
                         const std::atomic<bool>* stop) {
  const PipelineOptions options = remembered_options(plan, memo_);
  std::atomic<std::size_t> taken = 0;
  std::vector<std::future<void>> threads;
  const std::size_t count = std::min(questions.size(), static_cast<std::size_t>(at_once_));
  for (std::size_t i = 0; i < count; ++i) {
    threads.push_back(std::async(std::launch::async, [&] {
      answer_some(pool_, program_, options, questions, taken, stop);
    }));
  }
  for (std::future<void>& thread : threads)
    thread.wait();  // all of them, before the first error leaves what they work on
  for (std::future<void>& thread : threads)
    thread.get();
}

std::optional<std::vector<QuestionRecord>> answer_all(
    const Answerers& who, const Program& program, const Plan& plan, StageMemo& memo,
    std::span<const Question> questions,
    const std::function<void(int, const QuestionRecord&)>& progress,
    const std::atomic<bool>* stop) {
  const std::size_t portion =
      who.ahead == nullptr ? 1 : static_cast<std::size_t>(who.ahead->portion());
  Pipeline pipeline(who.decoder, program, remembered_options(plan, memo));
  std::vector<QuestionRecord> records;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    if (who.ahead != nullptr && i % portion == 0) {
      who.ahead->answer(plan, questions.subspan(i, std::min(portion, questions.size() - i)), stop);
    }
    records.push_back(pipeline.answer(questions[i], nullptr, stop));
    if (records.back().interrupted) return std::nullopt;
    if (progress) progress(static_cast<int>(i + 1), records.back());
  }
  return records;
}

}  // namespace litestage
