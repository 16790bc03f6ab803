#include <algorithm>
#include <map>
#include <utility>

#include "base/statistics.h"
#include "litestage/pipeline.h"
#include "offline/plan_search.h"
#include "stage/plan_options.h"

namespace litestage {
namespace {

/// Times and lengths of one arm, by question.
struct ArmTimes {
  std::vector<double> ms;
  double tokens = 0;
};

int tokens_of(const QuestionRecord& record) {
  int tokens = 0;
  for (const StageRecord& stage : record.stages)
    tokens += stage.tokens;
  return tokens;
}

}  // namespace

std::optional<MeasuredLatency> measure_latency(Decoder& decoder, const Program& program,
                                               const Plan& plan,
                                               const std::vector<Question>& questions, int most,
                                               int repeats,
                                               const std::function<void(int, int)>& progress,
                                               const std::atomic<bool>* stop) {
  PipelineOptions planned;
  apply_plan(plan, planned);
  Pipeline full(decoder, program);
  Pipeline fast(decoder, program, planned);
  const std::size_t asked = std::min(questions.size(), static_cast<std::size_t>(most));
  const auto count = static_cast<double>(asked) * repeats;
  ArmTimes full_times{std::vector<double>(asked), 0};
  ArmTimes plan_times = full_times;
  // The first question warms up: preambles are read, graphs built, weights fetched.
  for (Pipeline* pipeline : {&full, &fast}) {
    if (pipeline->answer(questions[0], nullptr, stop).interrupted) return std::nullopt;
  }
  int done = 0;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (std::size_t i = 0; i < asked; ++i) {
      std::vector<std::pair<Pipeline*, ArmTimes*>> turn = {{&full, &full_times},
                                                           {&fast, &plan_times}};
      if ((i + static_cast<std::size_t>(repeat)) % 2 == 1) std::swap(turn[0], turn[1]);
      for (const auto& [pipeline, times] : turn) {
        const QuestionRecord record = pipeline->answer(questions[i], nullptr, stop);
        if (record.interrupted) return std::nullopt;
        times->ms[i] += record.total_ms / repeats;
        times->tokens += tokens_of(record) / count;
      }
      if (progress) progress(++done, static_cast<int>(count));
    }
  }
  const Ratio speedup = paired_ratio(full_times.ms, plan_times.ms);
  MeasuredLatency latency;
  latency.questions = static_cast<int>(asked);
  latency.repeats = repeats;
  latency.full_ms = mean(full_times.ms);
  latency.plan_ms = mean(plan_times.ms);
  latency.speedup = speedup.value;
  latency.speedup_low = speedup.low;
  latency.speedup_high = speedup.high;
  latency.full_tokens = full_times.tokens;
  latency.plan_tokens = plan_times.tokens;
  return latency;
}

}  // namespace litestage
