#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "litestage/decoder_pool.h"
#include "litestage/pipeline.h"

namespace litestage {

/// A plan that leaves nothing out.
Plan full_model(KvReuse kv_reuse);

/// How a plan's stages are run where the memo is to know them.
PipelineOptions remembered_options(const Plan& plan, StageMemo& memo);

/// Answers questions before they are asked for, and leaves what their stages wrote in a memo, where
/// whoever asks for one of them finds it.
///
/// It promises nothing: a question that has no room beside the others, or cannot be answered, is
/// left to be answered by itself, and to fail there if it must.
class AnswersAhead {
 public:
  virtual ~AnswersAhead() = default;
  /// Questions that are answered at the same time.
  virtual int at_once() const = 0;
  /// Questions to hand over together, when so many have been: few at first, for a race that is
  /// lost clearly is over after some ten; later more than are answered at the same time, so that
  /// the quick ones do not wait for the slow.
  int portion(int handed_over) const { return handed_over == 0 ? at_once() : 3 * at_once(); }
  virtual void answer(const Plan& plan, std::span<const Question> questions,
                      const std::atomic<bool>* stop) = 0;
};

/// Answers them on a pool, so that the weights are read once for all of them.
class PoolAnswers : public AnswersAhead {
 public:
  /// @param pool, program, memo must outlive it; several threads use the memo
  /// @param at_once at least 1
  PoolAnswers(DecoderPool& pool, int at_once, const Program& program, StageMemo& memo);
  int at_once() const override { return at_once_; }
  void answer(const Plan& plan, std::span<const Question> questions,
              const std::atomic<bool>* stop) override;

 private:
  DecoderPool& pool_;
  int at_once_;
  const Program& program_;
  StageMemo& memo_;
};

/// Who answers.
struct Answerers {
  Decoder& decoder;
  AnswersAhead* ahead = nullptr;  ///< null: the decoder does, one question at a time
};

/// Answers all questions, through a memo.
/// @param progress told of each answer and how many there are by then
/// @return nothing when it was stopped
std::optional<std::vector<QuestionRecord>> answer_all(
    const Answerers& who, const Program& program, const Plan& plan, StageMemo& memo,
    std::span<const Question> questions,
    const std::function<void(int done, const QuestionRecord&)>& progress = {},
    const std::atomic<bool>* stop = nullptr);

}  // namespace litestage
