#include "app/eval_run.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "app/command.h"
#include "app/eval_arms.h"
#include "app/eval_tasks.h"
#include "app/eval_view.h"
#include "app/output_file.h"
#include "app/stop_signal.h"
#include "base/text_file.h"
#include "base/utc_time.h"
#include "eval/eval_record.h"
#include "eval/eval_results.h"
#include "eval/evaluate.h"
#include "litestage/error.h"
#include "litestage/version.h"

#include <ggml.h>

namespace litestage::app {
namespace {

EvalHeader header_of(const EvalSettings& settings, const std::vector<EvalRunner>& runners) {
  EvalHeader header;
  for (const EvalRunner& runner : runners)
    header.arms.push_back(runner.arm());
  header.machine = machine_name();
  header.threads = settings.decoder.threads > 0 ? settings.decoder.threads : default_thread_count();
  header.seed = settings.seed;
  header.litestage_version = litestage_version();
  header.ggml_version = ggml_version();
  header.created = utc_now();
  return header;
}

/// What is passed over must be answers of the same arms, or no report could join the two.
void check_others(const std::vector<std::string>& paths, const std::vector<EvalRun>& others,
                  const EvalHeader& header) {
  for (std::size_t i = 0; i < others.size(); ++i) {
    for (const EvalArm& there : others[i].header.arms) {
      const auto here = std::ranges::find_if(header.arms, [&there](const EvalArm& arm) {
        return arm.task == there.task && arm.policy == there.policy;
      });
      if (here == header.arms.end() || here->settings == there.settings) continue;
      throw UserError(paths[i],
                      fmt::format("{} on {} had other settings there", there.policy, there.task),
                      "leave the file out of --except");
    }
  }
}

EvalOutcome evaluate_all(const EvalSettings& settings, Ranks* ranks) {
  std::vector<EvalRun> others;
  for (const std::string& path : settings.others)
    others.push_back(load_eval_run(path));
  const std::vector<LoadedTask> loaded = load_tasks(settings, others);
  std::vector<EvalRunner> runners = make_arms(settings, loaded, is_first(ranks));
  std::vector<Pipeline*> pipelines;
  pipelines.reserve(runners.size());
  for (EvalRunner& runner : runners)
    pipelines.push_back(&runner.pipeline());
  std::vector<EvalTask> tasks;
  tasks.reserve(loaded.size());
  for (const LoadedTask& task : loaded)
    tasks.push_back(task.task);
  // A portion is more than are answered at a time, so that the quick do not wait for the slow.
  constexpr int PORTION = 4;
  const UntimedPart untimed{settings.timed, PORTION * settings.parallel,
                            [&](int arm, std::span<const Question* const> questions,
                                const TakeAnswer& take, const std::atomic<bool>* stopped) {
                              runners[static_cast<std::size_t>(arm)].answer(
                                  questions, settings.parallel, take, stopped);
                            }};
  const EvalHeader header = header_of(settings, runners);
  check_others(settings.others, others, header);
  const std::atomic<bool>& stop = catch_stop_signals();
  EvalView view;
  return evaluate(
      header, pipelines, tasks, settings.output,
      [&view](const EvalProgress& progress) { view.show(progress); }, &stop, &untimed, ranks);
}

}  // namespace

std::string results_path(const std::string& records) {
  return std::filesystem::path(records).replace_extension(".results.json").string();
}

int run_eval(const EvalSettings& settings, Ranks* ranks) {
  if (is_first(ranks)) check_output(settings.output);
  if (std::ranges::find(settings.others, settings.output) != settings.others.end()) {
    throw UserError("--except", settings.output + " is this run's own file",
                    "name those of other runs");
  }
  const EvalOutcome outcome = evaluate_all(settings, ranks);
  if (!is_first(ranks)) return outcome.interrupted ? EXIT_INTERRUPTED : EXIT_FINE;
  if (outcome.interrupted) {
    fmt::print(stderr,
               "litestage: stopped; {} answers are in {}, and the same command goes on from "
               "there\n",
               outcome.run.records.size(), settings.output);
    return EXIT_INTERRUPTED;
  }
  const std::vector<ArmSummary> summaries = summarize(outcome.run);
  const std::string results = results_json(outcome.run.header, summaries);
  write_text_file(results_path(settings.output), results);
  print_out(settings.json ? results : format_results(summaries, Style(may_colour(stdout))));
  return EXIT_FINE;
}

}  // namespace litestage::app
