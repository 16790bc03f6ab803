#include "offline/stage_trace.h"

#include <atomic>
#include <utility>

#include "litestage/pipeline.h"
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

/// Asks whether to go on wherever the pipeline says something.
class Watcher : public PipelineListener {
 public:
  Watcher(const std::function<bool()>& go_on, std::atomic<bool>& stop)
      : go_on_(go_on), stop_(stop) {}

  void on_stage_begin(const std::string& /*stage*/,
                      const std::vector<std::string>& /*options*/) override {
    ask();
  }
  void on_text(const std::string& /*stage*/, int /*branch*/, std::string_view /*piece*/) override {
    ask();
  }

 private:
  void ask() {
    if (go_on_ && !go_on_()) stop_.store(true);
  }

  const std::function<bool()>& go_on_;
  std::atomic<bool>& stop_;
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
                                                             const std::function<bool()>& go_on) {
  impl_->memo.question = index;
  impl_->memo.traces.clear();
  std::atomic<bool> stop{false};
  Watcher watcher(go_on, stop);
  if (impl_->pipeline.answer(question, &watcher, &stop).interrupted) return std::nullopt;
  return std::exchange(impl_->memo.traces, {});
}

std::vector<StageTrace> record_traces(Decoder& decoder, const Program& program,
                                      const std::vector<Question>& questions,
                                      const TraceProgress& progress) {
  decoder.clear();
  TraceRecorder recorder(decoder, program);
  std::vector<StageTrace> traces;
  const auto count = static_cast<int>(questions.size());
  for (int i = 0; i < count; ++i) {
    const auto go_on = [&] { return !progress || progress(i, count); };
    auto more =
        go_on() ? recorder.record(questions[static_cast<std::size_t>(i)], i, go_on) : std::nullopt;
    if (!more) {
      traces.clear();
      break;
    }
    traces.insert(traces.end(), std::make_move_iterator(more->begin()),
                  std::make_move_iterator(more->end()));
  }
  decoder.clear();
  if (progress && !traces.empty()) progress(count, count);
  return traces;
}

}  // namespace litestage
