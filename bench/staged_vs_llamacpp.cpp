// The race: the same program, questions and limits, run by libllama in its best way, by litestage
// with nothing left out, and by litestage with a preview of the head and a plan. They take turns in
// one process; peak memory comes from processes that run one of them alone.
//
//   build/release/bench/staged_vs_llamacpp -m qwen2.5-coder-0.5b --program plan-solve
//       --questions gsm8k/train_1500.jsonl --offset 600 --limit 20 --plan
//       plans/qwen2.5-coder-0.5b/plan-solve.json

#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

#include <nlohmann/json.hpp>

#include "app/command.h"
#include "app/dataset_options.h"
#include "app/logging.h"
#include "app/progress.h"
#include "base/binomial.h"
#include "base/statistics.h"
#include "bench_main.h"
#include "litestage/error.h"
#include "race.h"

extern char** environ;

namespace {

using namespace litestage;
using namespace litestage::bench;
using Json = nlohmann::ordered_json;

constexpr std::uint32_t SEED = 1;  // of the bootstrap

/// Runs this program again for one racer alone. @return its largest resident memory; 0 when it
/// failed
double peak_bytes(const std::vector<std::string>& arguments, Racer racer) {
  std::vector<std::string> words = arguments;
  words.insert(words.end(), {"--only", to_string(racer)});
  std::vector<char*> pointers;
  for (std::string& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, pointers.data(), environ) != 0)
    return 0;
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) != child || status != 0) return 0;
  constexpr double KIB = 1024;
  return static_cast<double>(usage.ru_maxrss) * KIB;
}

Json ratio_json(const Ratio& ratio) {
  return {{"value", ratio.value}, {"low", ratio.low}, {"high", ratio.high}};
}

double per_token(double ms, double tokens) {
  return tokens > 0 ? ms / tokens : 0;
}

int same_answers(const RacerResult& one, const RacerResult& other) {
  int same = 0;
  for (std::size_t i = 0; i < one.answers.size(); ++i)
    same += one.answers[i] == other.answers[i] ? 1 : 0;
  return same;
}

/// @param base whom the racer is compared with: libllama
/// @param whole litestage with nothing left out
Json result_json(const RacerResult& result, const RacerResult& base, const RacerResult& whole) {
  const auto count = static_cast<int>(result.ms.size());
  const Interval accuracy = wilson_95(result.correct, count);
  return {{"racer", to_string(result.racer)},
          {"ms", mean(result.ms)},
          {"speedup", ratio_json(bootstrap_ratio_95(base.ms, result.ms, SEED))},
          {"correct", result.correct},
          {"accuracy_low", accuracy.low},
          {"accuracy_high", accuracy.high},
          {"same_answers", same_answers(result, base)},
          {"same_answers_as_litestage", same_answers(result, whole)},
          {"read_ms", result.read_ms},
          {"write_ms", result.write_ms},
          {"read_tokens", result.read_tokens},
          {"written_tokens", result.written_tokens},
          {"read_ms_a_token", per_token(result.read_ms, result.read_tokens)},
          {"write_ms_a_token", per_token(result.write_ms, result.written_tokens)},
          {"peak_bytes", result.peak_bytes}};
}

void print_table(const Json& race) {
  const int questions = race.at("questions");
  fmt::print("{} questions, {} threads, libllama {} flash attention\n\n", questions,
             race.at("threads").get<int>(),
             race.at("libllama_flash").get<bool>() ? "with" : "without");
  fmt::print(
      "| racer | s a question | times libllama's speed | right | answers as libllama, as "
      "litestage | tokens read, written | s reading, writing | ms a token read, written | peak MiB "
      "|\n|---|---|---|---|---|---|---|---|---|\n");
  constexpr double MS = 1000;
  constexpr double MIB = 1024 * 1024;
  for (const Json& racer : race.at("racers")) {
    const Json& speedup = racer.at("speedup");
    fmt::print(
        "| {} | {:.2f} | {:.2f} [{:.2f}, {:.2f}] | {} | {}, {} | {:.0f}, {:.0f} | {:.2f}, {:.2f} | "
        "{:.2f}, {:.2f} | {:.0f} |\n",
        racer.at("racer").get<std::string>(), racer.at("ms").get<double>() / MS,
        speedup.at("value").get<double>(), speedup.at("low").get<double>(),
        speedup.at("high").get<double>(), racer.at("correct").get<int>(),
        racer.at("same_answers").get<int>(), racer.at("same_answers_as_litestage").get<int>(),
        racer.at("read_tokens").get<double>(), racer.at("written_tokens").get<double>(),
        racer.at("read_ms").get<double>() / MS, racer.at("write_ms").get<double>() / MS,
        racer.at("read_ms_a_token").get<double>(), racer.at("write_ms_a_token").get<double>(),
        racer.at("peak_bytes").get<double>() / MIB);
  }
}

int race(const RaceSettings& settings, const std::vector<std::string>& arguments) {
  if (settings.only) {
    // Whoever does not take part has no memory to report.
    return Race(settings).run_first(*settings.only) ? app::EXIT_FINE : app::EXIT_USER_ERROR;
  }
  // Before anything is loaded: a child's largest memory counts that of the process it came from.
  std::map<Racer, double> peaks;
  for (const Racer racer : RACERS)
    peaks[racer] = peak_bytes(arguments, racer);
  Race contest(settings);
  app::ProgressBar bar;
  auto results = contest.run([&](int done, int total) {
    bar.show("race", static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total),
             "questions");
  });
  bar.wipe();
  if (!results) return app::EXIT_INTERRUPTED;
  Json json = {{"program", settings.program},
               {"questions", contest.questions().size()},
               {"repeats", settings.repeats},
               {"threads",
                settings.decoder.threads == 0 ? default_thread_count() : settings.decoder.threads},
               {"libllama_flash", contest.libllama_flash()},
               {"racers", Json::array()}};
  for (RacerResult& result : *results)
    result.peak_bytes = peaks.at(result.racer);
  for (const RacerResult& result : *results)
    json["racers"].push_back(result_json(result, results->front(), results->at(1)));
  if (settings.json) {
    fmt::print("{}\n", json.dump());
  } else {
    print_table(json);
  }
  return app::EXIT_FINE;
}

int run(int argc, char** argv) {
  CLI::App cli{"Races libllama and litestage through the same stages.", "staged_vs_llamacpp"};
  RaceSettings settings;
  settings.dataset.limit = 20;
  std::string only;
  std::vector<std::string> names;
  for (const Racer racer : RACERS)
    names.push_back(to_string(racer));
  cli.add_option("--program", settings.program, "Program: a shipped one's name, or a TOML file")
      ->required();
  app::add_question_sets(cli, settings.questions, "Question set with answers", "Questions")
      ->required();
  app::add_dataset_options(cli, settings.dataset, "Questions");
  cli.add_option("--plan", settings.plan, "Plan to race by as well");
  cli.add_option("--leave-at", settings.early.leave_at, "Margin at which an early answer is taken")
      ->check(CLI::Range(0.0, 2.0));
  cli.add_flag("--ask-first", settings.early.ask_first, "Ask for it before the first stage too");
  cli.add_option("--most-branches", settings.early.most_branches, "Options analyzed at most")
      ->check(CLI::Range(0, 26));
  cli.add_flag("--merge-branches", settings.merge,
               "Race as well with branches merged instead of read again");
  cli.add_option("-r,--repeats", settings.repeats, "Times every question is asked")
      ->check(CLI::Range(1, 1000));
  cli.add_flag("--json", settings.json, "The result as JSON");
  cli.add_option("--only", only, "Answer the first question by this racer alone")
      ->check(CLI::IsMember(names));
  app::add_model_options(cli, settings.model);
  app::add_decoder_options(cli, settings.decoder, app::ContextOption::chosen);
  if (!bench::parse(cli, argc, argv)) return app::EXIT_FINE;
  for (const Racer racer : RACERS) {
    if (to_string(racer) == only) settings.only = racer;
  }
  app::set_up_logging(false);
  std::vector<std::string> command = {argv[0]};
  command.insert(command.end(), argv + 1, argv + argc);
  return race(settings, command);
}

}  // namespace

int main(int argc, char** argv) {
  return litestage::bench::bench_main("staged_vs_llamacpp", [&] { return run(argc, argv); });
}
