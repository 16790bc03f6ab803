#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <span>

#include "litestage/decoder_pool.h"
#include "litestage/pipeline.h"

namespace litestage {

/// Takes the answer to the question of that place.
using TakeAnswer = std::function<void(std::size_t place, QuestionRecord&& answer)>;

/// Answers questions on a pool, several at a time, so that the weights are read once for all of
/// them: each thread has a client and a pipeline of its own, and takes the next question when it is
/// done with one. Times in the answers are those beside others.
///
/// A question that finds no room beside the others, or cannot be answered, is passed over: whoever
/// asked answers it by itself, and fails there if it must.
/// @param options `schedules` is called by several threads
/// @param at_once at least 1
/// @param take called on the thread of the caller, in the order in which answers come; may be empty
/// @param stop ends all within one token; answers at hand are not told
void answer_side_by_side(DecoderPool& pool, int at_once, const Program& program,
                         const PipelineOptions& options, std::span<const Question* const> questions,
                         const TakeAnswer& take = {}, const std::atomic<bool>* stop = nullptr);

}  // namespace litestage
