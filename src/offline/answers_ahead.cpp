#include "offline/answers_ahead.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <vector>

#include "stage/plan_options.h"
#include "stage/side_by_side.h"

namespace litestage {

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
  std::vector<const Question*> asked;
  for (const Question& question : questions)
    asked.push_back(&question);
  answer_side_by_side(pool_, at_once_, program_, remembered_options(plan, memo_), asked, {}, stop);
}

std::optional<std::vector<QuestionRecord>> answer_all(
    const Answerers& who, const Program& program, const Plan& plan, StageMemo& memo,
    std::span<const Question> questions,
    const std::function<void(int, const QuestionRecord&)>& progress,
    const std::atomic<bool>* stop) {
  Pipeline pipeline(who.decoder, program, remembered_options(plan, memo));
  std::vector<QuestionRecord> records;
  std::size_t ahead = 0;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    if (who.ahead != nullptr && i == ahead) {
      const auto portion = static_cast<std::size_t>(who.ahead->portion(static_cast<int>(ahead)));
      ahead = std::min(questions.size(), ahead + portion);
      who.ahead->answer(plan, questions.subspan(i, ahead - i), stop);
    }
    records.push_back(pipeline.answer(questions[i], nullptr, stop));
    if (records.back().interrupted) return std::nullopt;
    if (progress) progress(static_cast<int>(i + 1), records.back());
  }
  return records;
}

}  // namespace litestage
