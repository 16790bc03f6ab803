#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <ggml.h>

#include "base/utc_time.h"
#include "litestage/error.h"
#include "litestage/version.h"
#include "offline/answers_ahead.h"
#include "offline/decoder_timing.h"
#include "offline/plan_search.h"
#include "offline/program_world.h"

namespace litestage {
namespace {

/// Chooses again within one search file. @return false when it was stopped
bool repick_file(SearchFile& file, const RetimeInput& input, StageStore& store,
                 const PlanSearchOptions& options, AnswersAhead* ahead,
                 const std::function<void(const PlanSearchProgress&)>& progress,
                 const std::atomic<bool>* stop) {
  ProgramWorld world(input.decoder, input.program, input.questions, file.stages, store,
                     {file.plan.kv_reuse, options.timer, machine_name(), ahead}, stop);
  std::map<Choice, TimedChoice> times;
  const std::vector<Choice> choices = accepted_choices(file.result);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    std::vector<Trial> trials;
    for (int question = 0; question < world.question_count(); ++question) {
      if (progress) {
        progress({"times", fmt::format("choice {} of {}", i + 1, choices.size()), question,
                  world.question_count(), ""});
      }
      auto trial = world.run(choices[i], question);
      if (!trial) return false;
      trials.push_back(std::move(*trial));
    }
    const auto timed = world.time(choices[i], trials);
    if (!timed) return false;
    times.emplace(choices[i], *timed);
  }
  repick(file.result, times);
  file.plan.stages = file.settings(file.result.chosen);
  file.plan.accuracy = file.result.accuracy;
  return true;
}

}  // namespace

PlanSearchResult retime_plan(const RetimeInput& input, const PlanSearchOptions& options,
                             const std::function<void(const PlanSearchProgress&)>& progress,
                             const std::atomic<bool>* stop) {
  const Plan& old = input.masks.plan;
  const std::string hash = model_hash(input.decoder.model());
  if (old.model_hash != hash || old.program_hash != input.program.hash) {
    throw UserError("retime", "the search was made for another model or program",
                    "search anew with 'litestage tune'");
  }
  PlanSearchResult result;
  result.interrupted = true;
  result.masks = input.masks;
  StageStore store(input.memo, hash, input.program.hash, input.engine);
  std::unique_ptr<AnswersAhead> ahead;
  if (input.pool != nullptr) {
    ahead = std::make_unique<PoolAnswers>(*input.pool, options.parallel, input.program, store);
  }
  store.forget_measurements(times_on(machine_name(), input.decoder.options().threads));
  const std::vector<std::pair<std::string, StageSettings>> settings_before = old.stages;
  const Choice before = input.masks.result.chosen;
  if (!repick_file(result.masks, input, store, options, ahead.get(), progress, stop)) return result;
  result.plan = result.masks.plan;
  if (input.exits && result.masks.result.chosen == before) {
    result.exits = input.exits;
    if (!repick_file(*result.exits, input, store, options, ahead.get(), progress, stop))
      return result;
    result.plan = result.exits->plan;
  }
  // What fresh questions said of the old choice still holds for the same one.
  if (result.plan.stages == settings_before) {
    result.plan.accuracy = old.accuracy;
  } else {
    result.plan.early = {};
    result.masks.early = {};
  }
  input.decoder.clear();
  result.plan.latency = measure_latency(
      input.decoder, input.program, result.plan, input.questions, options.timed_questions,
      options.timed_repeats,
      [&](int done, int total) {
        if (progress) progress({"latency", "full model and plan", done, total, ""});
      },
      stop);
  if (!result.plan.latency) return result;
  result.plan.origin.machine = machine_name();
  result.plan.origin.threads = input.decoder.options().threads;
  result.plan.origin.head = head_in_use(input.decoder);
  result.plan.origin.litestage_version = litestage_version();
  result.plan.origin.ggml_version = ggml_version();
  result.plan.origin.created = utc_now();
  result.masks.plan = result.plan;
  if (result.exits) result.exits->plan = result.plan;
  result.interrupted = false;
  return result;
}

}  // namespace litestage
