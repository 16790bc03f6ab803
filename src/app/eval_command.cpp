#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "app/choice_option.h"
#include "app/command.h"
#include "app/eval_run.h"
#include "skip/skip_policy.h"

namespace litestage::app {
namespace {

constexpr int MOST_PARALLEL = 64;

CLI::Option* add_list(CLI::App& verb, const std::string& names, std::vector<std::string>& values,
                      const std::string& help) {
  return verb.add_option(names, values, help)->allow_extra_args(false);
}

void add_task_options(CLI::App& verb, EvalSettings& settings) {
  const std::string group = "Tasks";
  add_list(verb, "--tasks", settings.tasks,
           "Question sets with answers: openbookqa:PATH, commonsenseqa:PATH, strategyqa:PATH, "
           "gsm8k:PATH, or any other name with a set in any format")
      ->type_name("NAME:PATH[,...]")
      ->required()
      ->group(group);
  add_list(verb, "--program", settings.programs,
           "Program of all tasks, or of one; else the one its questions ask for or that fits them")
      ->type_name("[TASK=]NAME|PATH")
      ->group(group);
  verb.add_option_function<std::string>(
          "--split",
          [&settings](const std::string& text) {
            settings.part = parse_question_part(text, "--split");
          },
          "Only the questions whose hash, as a number from 0 to 1, lies between two: 0.2:0.5. A "
          "question is always on the same side")
      ->type_name("LOW:HIGH")
      ->group(group);
  verb.add_flag("--shuffle", settings.shuffle, "Draw their order from the seed")->group(group);
  verb.add_option("--offset", settings.offset, "Questions of each task to pass over first")
      ->check(within(0, MOST_COUNTED))
      ->type_name("N")
      ->group(group);
  add_list(verb, "--except", settings.others,
           "Records of another run, as of another machine: questions that it has answered are "
           "passed over, and 'litestage report' joins the two")
      ->type_name("PATH")
      ->group(group);
  verb.add_option("-L,--limit", settings.limit, "Questions of each task to take at most")
      ->check(within(1, MOST_COUNTED))
      ->type_name("N")
      ->group(group);
  verb.add_option("-s,--seed", settings.seed,
                  "Seed of --shuffle, of the order in which policies take turns, and of the "
                  "intervals")
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
}

void add_pace_options(CLI::App& verb, EvalSettings& settings) {
  const std::string group = "Pace";
  verb.add_option("--timed", settings.timed,
                  "Questions of each task that are answered one at a time, for accuracy and time; "
                  "those behind them --parallel at a time, for their accuracy alone. All unless "
                  "given")
      ->check(within(1, MOST_COUNTED))
      ->type_name("N")
      ->group(group);
  verb.add_option("--parallel", settings.parallel,
                  "Questions behind --timed that are answered at the same time, which is several "
                  "times as fast as one by one")
      ->check(within(1, MOST_PARALLEL))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
}

void add_policy_options(CLI::App& verb, EvalSettings& settings) {
  const std::string group = "Policies";
  add_list(verb, "--policy", settings.policies, "What is compared; see below")
      ->type_name("POLICY")
      ->required()
      ->group(group);
  add_list(verb, "--importance", settings.importances,
           "What 'litestage profile' measured for a program: policies with one budget for all "
           "stages are made from it")
      ->type_name("PATH")
      ->group(group);
  add_list(verb, "--exit-plan", settings.exit_plans,
           "Plan whose rules for ending texts +exit adds to other policies than litestage")
      ->type_name("PATH")
      ->group(group);
}

std::string footer() {
  std::string text = "Policies (+exit behind one adds rules for ending texts early):\n";
  for (const PolicyHelp& help : policy_help()) {
    text += "  " + help.form + "\n      " + help.text;
    text += help.citation.empty() ? "\n" : " (" + help.citation + ")\n";
  }
  return text +
         "Examples:\n"
         "  litestage eval --tasks openbookqa:test.jsonl --limit 100 --policy full --policy direct "
         "\\\n      -o runs/obqa.jsonl\n"
         "  litestage eval --tasks openbookqa:test.jsonl,gsm8k:test.jsonl -m qwen2.5-coder-0.5b "
         "\\\n      --policy full --policy litestage:plan.json+exit --policy adaskip:save=10 \\\n"
         "      --policy requant:Q4_0 --importance importance.json -o runs/all.jsonl\n"
         "  litestage eval --tasks gsm8k:test.jsonl --policy full --policy requant:Q4_0 --timed 30 "
         "\\\n      --parallel 16 -o runs/many.jsonl\n"
         "  mpirun -n 4 litestage eval --tasks gsm8k:test.jsonl --policy full -t 2 -o "
         "runs/gsm8k.jsonl\n"
         "A run that was stopped or killed goes on when the same command is given again, with any "
         "number of processes.";
}

}  // namespace

void add_eval_command(CLI::App& app, Action& action, Ranks* ranks) {
  auto settings = std::make_shared<EvalSettings>();
  CLI::App* verb = app.add_subcommand("eval", "Compare policies on question sets");
  add_task_options(*verb, *settings);
  add_policy_options(*verb, *settings);
  add_pace_options(*verb, *settings);
  verb->add_option("-o,--output,--output_path", settings->output,
                   "Records, one line an answer; results are put beside them as "
                   "NAME.results.json")
      ->type_name("PATH")
      ->required()
      ->group("Output");
  verb->add_flag("--json", settings->json, "The results as JSON on stdout in place of tables")
      ->group("Output");
  add_model_options(*verb, settings->model);
  add_decoder_options(*verb, settings->decoder, ContextOption::chosen);
  verb->footer(footer());
  verb->callback([settings, ranks, &action] {
    action = [settings, ranks] { return run_eval(*settings, ranks); };
  });
}

}  // namespace litestage::app
