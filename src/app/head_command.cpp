#include <CLI/CLI.hpp>
#include <memory>

#include "app/choice_option.h"
#include "app/command.h"
#include "app/dataset_options.h"
#include "app/head_run.h"

namespace litestage::app {
namespace {

constexpr int MOST_FOR_HEAD = 1 << 30;

}  // namespace

void add_head_command(CLI::App& app, Action& action) {
  auto settings = std::make_shared<HeadSettings>();
  settings->dataset.limit = HEAD_QUESTIONS;
  CLI::App* verb = app.add_subcommand(
      "head", "Learn a preview of a model's head, so that greedy decoding reads less of it");
  const std::string group = "Learning";
  verb->add_option("--program", settings->program, "Program: a shipped one's name, or a TOML file")
      ->type_name("NAME|PATH")
      ->required()
      ->group(group);
  add_question_sets(*verb, settings->questions,
                    "Question sets: the first ones are answered to learn from, the others read to "
                    "check on",
                    group)
      ->required();
  add_dataset_options(*verb, settings->dataset, group);
  verb->add_option("--check-tokens", settings->check_tokens,
                   "Tokens to check the preview on; 0: no check")
      ->check(within(0, MOST_FOR_HEAD))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb->add_option(
          "-o,--output", settings->output,
          "The preview; beside the model, as NAME.head.gguf, unless given: there all verbs "
          "find it")
      ->type_name("PATH")
      ->group(group);
  verb->add_flag("--json", settings->json, "What was found as JSON on stdout")->group(group);
  add_model_options(*verb, settings->model);
  add_decoder_options(*verb, settings->decoder, ContextOption::chosen);
  verb->footer(
      "Examples:\n"
      "  litestage head -m qwen2.5-coder-0.5b --program plan-solve --questions train.jsonl\n"
      "  litestage head -m model.gguf --program tinythinker --questions train.jsonl -o my.gguf\n"
      "  litestage run --head full ...    leaves it out");
  verb->callback([settings, &action] { action = [settings] { return run_head(*settings); }; });
}

}  // namespace litestage::app
