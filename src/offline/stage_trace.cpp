#include "offline/stage_trace.h"

#include <utility>

#include "litestage/pipeline.h"
#include "offline/fresh_tokens.h"
#include "offline/stage_recorder.h"
#include "stage/conversation.h"

namespace litestage {

namespace {

/// How the full model is run so that its stages are met in the memo again, and are the same whether
/// there is a preview of the head or not.
/// @param recorder told of every stage
PipelineOptions recording_options(StageMemo& recorder, const TraceMemo& memo) {
  PipelineOptions options;
  options.memo = &recorder;
  options.kv_reuse = memo.kv_reuse;
  // Others who use the memo may need them, and they take the full head.
  options.record_confidence = true;
  return options;
}

/// One trace a context.
/// @param read tokens that each stage read
std::vector<StageTrace> traces_of(std::vector<StageLog> stages, const std::vector<int>& read,
                                  int question) {
  std::vector<StageTrace> traces;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    StageLog& log = stages[stage];
    const std::size_t shared = shared_length(log.contexts);
    auto first = static_cast<std::size_t>(read[stage]);
    for (std::size_t i = 1; i < log.contexts.size(); ++i)
      first -= log.contexts[i].tokens.size() - shared;
    for (std::size_t i = 0; i < log.contexts.size(); ++i) {
      const std::size_t fresh = i == 0 ? first : log.contexts[i].tokens.size() - shared;
      traces.push_back({log.stage, question, std::move(log.contexts[i].tokens),
                        static_cast<int>(fresh), std::move(log.texts[i])});
    }
  }
  return traces;
}

}  // namespace

struct TraceRecorder::Impl {
  Impl(Decoder& decoder, const Program& program, const TraceMemo& memo)
      : kv_reuse(memo.kv_reuse),
        preamble(Conversation(program, decoder.model().tokenizer()).preamble()),
        recorder(memo.memo),
        pipeline(decoder, program, recording_options(recorder, memo)) {}

  KvReuse kv_reuse;
  std::vector<Token> preamble;
  StageRecorder recorder;
  Pipeline pipeline;
};

TraceRecorder::TraceRecorder(Decoder& decoder, const Program& program, const TraceMemo& memo)
    : impl_(std::make_unique<Impl>(decoder, program, memo)) {}
TraceRecorder::~TraceRecorder() = default;

std::optional<std::vector<StageTrace>> TraceRecorder::record(const Question& question, int index,
                                                             const std::atomic<bool>* stop) {
  const bool stopped = impl_->pipeline.answer(question, nullptr, stop).interrupted;
  std::vector<StageLog> stages = impl_->recorder.take();
  if (stopped) return std::nullopt;
  const std::vector<int> read = fresh_tokens(stages, impl_->preamble, impl_->kv_reuse);
  return traces_of(std::move(stages), read, index);
}

}  // namespace litestage
