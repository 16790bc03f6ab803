#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "litestage/decoder_pool.h"
#include "litestage/pipeline.h"

namespace litestage {

/// Answers questions several at a time, so that the weights are read once for all of them, and
/// leaves what their stages wrote in the options' memo, where whoever asks for one of them finds
/// it.
///
/// It promises nothing: a question that has no room beside the others, or cannot be answered, is
/// left to be answered by itself, and to fail there if it must.
/// @param at_once questions, at least 1
/// @param options with a memo that several threads may use
void answer_ahead(DecoderPool& pool, int at_once, const Program& program,
                  const PipelineOptions& options, std::span<const Question> questions,
                  const std::atomic<bool>* stop = nullptr);

/// Who answers.
struct Answerers {
  Decoder& decoder;
  DecoderPool* pool = nullptr;  ///< null: the decoder does, one question at a time
  int at_once = 1;
};

/// Answers all questions, through the options' memo.
/// @param progress told of each answer and how many there are by then
/// @return nothing when it was stopped
std::optional<std::vector<QuestionRecord>> answer_all(
    const Answerers& who, const Program& program, const PipelineOptions& options,
    std::span<const Question> questions,
    const std::function<void(int done, const QuestionRecord&)>& progress = {},
    const std::atomic<bool>* stop = nullptr);

}  // namespace litestage
