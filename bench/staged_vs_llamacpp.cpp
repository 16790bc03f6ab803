// The race: the same program, questions and limits, run by libllama in its best way, by litestage
// with nothing left out, and by litestage with a preview of the head and a plan. They take turns in
// one process; peak memory comes from processes that run one of them alone.
//
//   build/release/bench/staged_vs_llamacpp -m qwen2.5-coder-0.5b --program plan-solve
//       --questions gsm8k/train_1500.jsonl --offset 600 --limit 20 --plan
//       plans/qwen2.5-coder-0.5b/plan-solve.json -o race.json

#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>

#include <nlohmann/json.hpp>

#include "app/command.h"
#include "app/dataset_options.h"
#include "app/logging.h"
#include "app/output_file.h"
#include "app/progress.h"
#include "base/binomial.h"
#include "base/statistics.h"
#include "base/text_file.h"
#include "base/utc_time.h"
#include "base/utf8.h"
#include "bench_main.h"
#include "litestage/error.h"
#include "litestage/version.h"
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

/// One figure of all questions.
std::vector<double> each(const RacerResult& result, double RacedQuestion::*figure) {
  std::vector<double> values;
  for (const RacedQuestion& question : result.questions)
    values.push_back(question.*figure);
  return values;
}

int same_answers(const RacerResult& one, const RacerResult& other) {
  int same = 0;
  for (std::size_t i = 0; i < one.questions.size(); ++i)
    same += one.questions[i].answer == other.questions[i].answer ? 1 : 0;
  return same;
}

/// @param base whom the racer is compared with: libllama
/// @param whole litestage with nothing left out
Json result_json(const RacerResult& result, const RacerResult& base, const RacerResult& whole) {
  const auto correct =
      static_cast<int>(std::ranges::count_if(result.questions, &RacedQuestion::correct));
  const Interval accuracy = wilson_95(correct, static_cast<int>(result.questions.size()));
  const std::vector<double> ms = each(result, &RacedQuestion::ms);
  const double read_ms = mean(each(result, &RacedQuestion::read_ms));
  const double write_ms = mean(each(result, &RacedQuestion::write_ms));
  const double read_tokens = mean(each(result, &RacedQuestion::read_tokens));
  const double written_tokens = mean(each(result, &RacedQuestion::written_tokens));
  return {{"racer", to_string(result.racer)},
          {"ms", mean(ms)},
          {"speedup", ratio_json(bootstrap_ratio_95(each(base, &RacedQuestion::ms), ms, SEED))},
          {"correct", correct},
          {"accuracy_low", accuracy.low},
          {"accuracy_high", accuracy.high},
          {"same_answers", same_answers(result, base)},
          {"same_answers_as_litestage", same_answers(result, whole)},
          {"read_ms", read_ms},
          {"write_ms", write_ms},
          {"read_tokens", read_tokens},
          {"written_tokens", written_tokens},
          {"read_ms_a_token", per_token(read_ms, read_tokens)},
          {"write_ms_a_token", per_token(write_ms, written_tokens)},
          {"peak_bytes", result.peak_bytes}};
}

/// What each racer did with each question; of a question no more than tells it from others.
Json records_json(const std::vector<RacerResult>& results, const std::vector<Question>& questions) {
  Json records = Json::array();
  for (std::size_t i = 0; i < questions.size(); ++i) {
    for (const RacerResult& result : results) {
      const RacedQuestion& raced = result.questions[i];
      records.push_back({{"id", displayable(questions[i].id)},
                         {"question_hash", question_hash(questions[i])},
                         {"racer", to_string(result.racer)},
                         {"gold", displayable(questions[i].gold)},
                         {"answer", displayable(raced.answer)},
                         {"correct", raced.correct},
                         {"ms", raced.ms},
                         {"read_ms", raced.read_ms},
                         {"write_ms", raced.write_ms},
                         {"read_tokens", raced.read_tokens},
                         {"written_tokens", raced.written_tokens}});
    }
  }
  return records;
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
  if (!settings.output.empty()) app::check_output(settings.output);
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
  const std::string model = contest.model().path().stem().string();
  Json json = {{"created", utc_now()},
               {"litestage_version", litestage_version()},
               {"machine", displayable(machine_name())},
               {"model", displayable(model)},
               {"model_hash", model_hash(contest.model())},
               {"plan", displayable(settings.plan)},
               {"program", displayable(settings.program)},
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
  if (!settings.output.empty()) {
    Json kept = json;
    kept["records"] = records_json(*results, contest.questions());
    write_text_file(settings.output, kept.dump(1) + "\n");
  }
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
  cli.add_flag("--json", settings.json, "The result as JSON on stdout in place of the table");
  cli.add_option("-o,--output", settings.output,
                 "File for the result and what each racer did with each question, as JSON")
      ->type_name("PATH");
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
