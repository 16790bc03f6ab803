#include "offline/stage_trace.h"

#include <iterator>
#include <utility>

#include "stage/stage_memo.h"

namespace litestage {
namespace {

/// Remembers nothing and writes down everything.
class RecordingMemo : public StageMemo {
 public:
  std::optional<StageOutcome> find(const StageCall& /*call*/) override { return std::nullopt; }

  void store(const StageCall& call, const StageOutcome& outcome) override {
    for (std::size_t i = 0; i < call.contexts.size(); ++i) {
      const StageRecord& record = outcome.records[i];
      traces.push_back({call.stage.name, question, call.contexts[i].tokens,
                        record.prompt_tokens - record.reused_tokens, outcome.tokens[i]});
    }
  }

  int question = 0;
  std::vector<StageTrace> traces;
};

/// Tells the progress wherever the pipeline says something.
class Teller : public PipelineListener {
 public:
  Teller(const TraceProgress& progress, int count) : progress_(progress), count_(count) {}

  void on_stage_begin(const std::string& /*stage*/,
                      const std::vector<std::string>& /*options*/) override {
    tell();
  }
  void on_text(const std::string& /*stage*/, int /*branch*/, std::string_view /*piece*/) override {
    tell();
  }
  void tell() {
    if (progress_ && !progress_(done, count_)) stop.store(true);
  }

  int done = 0;
  std::atomic<bool> stop{false};

 private:
  const TraceProgress& progress_;
  const int count_;
};

PipelineOptions recording_options(StageMemo& memo) {
  PipelineOptions options;
  options.memo = &memo;
  return options;
}

}  // namespace

struct TraceRecorder::Impl {
  Impl(Decoder& decoder, const Program& program)
      : pipeline(decoder, program, recording_options(memo)) {}

  RecordingMemo memo;
  Pipeline pipeline;
};

TraceRecorder::TraceRecorder(Decoder& decoder, const Program& program)
    : impl_(std::make_unique<Impl>(decoder, program)) {}
TraceRecorder::~TraceRecorder() = default;

std::optional<std::vector<StageTrace>> TraceRecorder::record(const Question& question, int index,
                                                             const std::atomic<bool>* stop,
                                                             PipelineListener* listener) {
  impl_->memo.question = index;
  impl_->memo.traces.clear();
  if (impl_->pipeline.answer(question, listener, stop).interrupted) return std::nullopt;
  return std::exchange(impl_->memo.traces, {});
}

std::vector<StageTrace> record_traces(Decoder& decoder, const Program& program,
                                      const std::vector<Question>& questions,
                                      const TraceProgress& progress) {
  decoder.clear();
  TraceRecorder recorder(decoder, program);
  std::vector<StageTrace> traces;
  Teller teller(progress, static_cast<int>(questions.size()));
  for (const Question& question : questions) {
    auto more = recorder.record(question, teller.done, &teller.stop, &teller);
    if (!more) {
      traces.clear();
      break;
    }
    traces.insert(traces.end(), std::make_move_iterator(more->begin()),
                  std::make_move_iterator(more->end()));
    ++teller.done;
    teller.tell();
  }
  decoder.clear();
  return traces;
}

}  // namespace litestage
