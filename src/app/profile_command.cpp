#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "app/choice_option.h"
#include "app/command.h"
#include "app/dataset_options.h"
#include "app/profile_run.h"
#include "litestage/error.h"

namespace litestage::app {
namespace {

constexpr std::size_t PROFILED_QUESTIONS = 20;  // about as many as the cosines of AdaSkip come from

void add_measuring_options(CLI::App& verb, ProfileSettings& settings) {
  const std::string group = "Measuring";
  verb.add_option("--program", settings.program, "Program: a shipped one's name, or a TOML file")
      ->type_name("NAME|PATH")
      ->group(group);
  add_question_sets(verb, settings.questions,
                    "Question set to calibrate on, kept apart from what you evaluate on", group);
  add_dataset_options(verb, settings.dataset, group);
  verb.add_option("--damage-tokens", settings.profile.damage_tokens,
                  "Tokens a stage that each sublayer's damage is measured on; 0: no damage, as in "
                  "the paper")
      ->check(within(0, MOST_COUNTED))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option(
          "--timing-seconds", settings.timing_seconds,
          "Seconds a stage that milliseconds are measured for; each way is timed three times "
          "at least")
      ->check(within(1, MOST_COUNTED))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
}

void add_output_options(CLI::App& verb, ProfileSettings& settings) {
  const std::string group = "Output";
  verb.add_option("-o,--output", settings.output,
                  "The importance; beside it, with .partial, what is finished while it is measured")
      ->type_name("PATH")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--html", settings.html, "Write the heat maps as a page too")
      ->type_name("PATH")
      ->group(group);
  verb.add_flag("--json", settings.json, "The importance on stdout in place of heat maps")
      ->group(group);
  verb.add_option("--show", settings.show, "Draw an importance that is there; runs no model")
      ->type_name("PATH")
      ->group(group);
}

void check(const ProfileSettings& settings) {
  if (!settings.show.empty()) {
    if (!settings.program.empty() || !settings.questions.empty()) {
      throw UserError("--show", "nothing is measured when an importance is shown",
                      "leave out --program and --questions");
    }
    return;
  }
  if (settings.program.empty())
    throw UserError("profile", "there is no program", "name one by --program");
  if (settings.questions.empty())
    throw UserError("profile", "there are no questions", "name a set by --questions");
}

}  // namespace

void add_profile_command(CLI::App& app, Action& action) {
  auto settings = std::make_shared<ProfileSettings>();
  settings->dataset.limit = PROFILED_QUESTIONS;
  CLI::App* verb = app.add_subcommand(
      "profile", "Measure what each sublayer changes, harms and costs in each stage");
  add_measuring_options(*verb, *settings);
  add_output_options(*verb, *settings);
  add_model_options(*verb, settings->model);
  add_decoder_options(*verb, settings->decoder, ContextOption::chosen);
  verb->footer(
      "Examples:\n"
      "  litestage profile -m qwen2.5-coder-0.5b --program recall-analyze-answer \\\n"
      "      --questions train.jsonl -o importance.json --html importance.html\n"
      "  litestage profile --program plan-solve --questions gsm8k.jsonl --limit 8 "
      "--damage-tokens 0\n"
      "  litestage profile --show importance.json --html importance.html\n"
      "A profile that was stopped or killed goes on when the same command is given again.");
  verb->callback([settings, &action] {
    action = [settings] {
      check(*settings);
      return run_profile(*settings);
    };
  });
}

}  // namespace litestage::app
