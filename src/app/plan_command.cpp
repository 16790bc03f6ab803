#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "app/choice_option.h"
#include "app/command.h"
#include "app/output_file.h"
#include "app/plan_diff.h"
#include "app/plan_view.h"
#include "app/terminal.h"
#include "litestage/model.h"
#include "litestage/model_store.h"
#include "litestage/plan.h"
#include "litestage/program.h"
#include "skip/plan_check.h"

namespace litestage::app {
namespace {

int show(const std::string& path, bool as_json) {
  const Plan plan = load_plan(path);
  print_out(as_json ? to_json(plan) : format_plan(plan, path, Style(may_colour(stdout))));
  return EXIT_FINE;
}

int diff(const std::string& before, const std::string& after) {
  const std::string changes =
      format_plan_diff(load_plan(before), load_plan(after), Style(may_colour(stdout)));
  print_out(changes.empty() ? "the plans are the same\n" : changes);
  return EXIT_FINE;
}

/// Values of `plan validate`'s flags.
struct ValidateSettings {
  std::string path;
  std::string model;    ///< empty: not checked
  std::string program;  ///< empty: not checked
  int threads = 0;
};

int validate(const ValidateSettings& settings) {
  const Plan plan = load_plan(settings.path);
  PlanWarnings warnings;
  if (!settings.program.empty()) {
    const Program program = load_program(settings.program);
    std::vector<std::string> names;
    for (const Stage& stage : program.stages)
      names.push_back(stage.name);
    warnings = check_plan_program(plan, program.name, program.hash, names, settings.path);
  }
  if (!settings.model.empty()) {
    ModelOptions options;
    options.repack = false;  // nothing is computed
    check_plan_model(plan, *Model::load(resolve_model(settings.model), options), settings.path);
  }
  const PlanWarnings more = check_plan_machine(plan, settings.path, settings.threads);
  warnings.insert(warnings.end(), more.begin(), more.end());
  print_out(settings.path + ": valid\n");
  for (const std::string& warning : warnings)
    print_out("warning: " + warning + "\n");
  return EXIT_FINE;
}

void add_show(CLI::App& parent, Action& action) {
  CLI::App* verb = parent.add_subcommand("show",
                                         "Show a plan: what is left out, when texts end, "
                                         "what was measured");
  const auto path = std::make_shared<std::string>();
  const auto json = std::make_shared<bool>(false);
  verb->add_option("PLAN", *path, "The plan's file")->type_name("PATH")->required();
  verb->add_flag("--json", *json, "The plan as JSON, in its canonical form");
  verb->footer(
      "Examples:\n"
      "  litestage plan show plan.json\n"
      "  litestage plan show plan.json --json | jq .latency.speedup");
  verb->callback([path, json, &action] { action = [path, json] { return show(*path, *json); }; });
}

void add_diff(CLI::App& parent, Action& action) {
  CLI::App* verb = parent.add_subcommand("diff", "Say what differs between two plans");
  const auto before = std::make_shared<std::string>();
  const auto after = std::make_shared<std::string>();
  verb->add_option("BEFORE", *before, "A plan's file")->type_name("PATH")->required();
  verb->add_option("AFTER", *after, "Another plan's file")->type_name("PATH")->required();
  verb->footer(
      "A line for each value that differs, nothing but a sentence when none does; the exit code is "
      "0 either way.\n"
      "Examples:\n"
      "  litestage plan diff yesterday.json today.json");
  verb->callback(
      [before, after, &action] { action = [before, after] { return diff(*before, *after); }; });
}

void add_validate(CLI::App& parent, Action& action) {
  CLI::App* verb = parent.add_subcommand(
      "validate", "Check a plan, alone or against the model and the program it is to run with");
  const auto settings = std::make_shared<ValidateSettings>();
  verb->add_option("PLAN", settings->path, "The plan's file")->type_name("PATH")->required();
  verb->add_option("-m,--model", settings->model,
                   "Model it must be for: a name that 'litestage models' lists, or a GGUF file")
      ->type_name("NAME|PATH");
  verb->add_option("--program", settings->program,
                   "Program it must be for: a TOML file or the name of a shipped one")
      ->type_name("NAME|PATH");
  verb->add_option("-t,--threads", settings->threads,
                   "Threads it is to run with; 0: one a physical core")
      ->envname("LITESTAGE_THREADS")
      ->check(within(0, 1024))
      ->type_name("N")
      ->capture_default_str();
  verb->footer(
      "Says 'valid' and warns of what makes the measurements doubtful, or ends with exit code 2.\n"
      "Examples:\n"
      "  litestage plan validate plan.json\n"
      "  litestage plan validate plan.json -m qwen2.5-coder-1.5b --program plan-solve");
  verb->callback([settings, &action] { action = [settings] { return validate(*settings); }; });
}

}  // namespace

void add_plan_command(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("plan", "Show, compare and check plans");
  add_show(*verb, action);
  add_diff(*verb, action);
  add_validate(*verb, action);
  verb->require_subcommand(1);
  verb->footer(
      "Examples:\n"
      "  litestage plan show plan.json\n"
      "  litestage plan diff yesterday.json today.json\n"
      "  litestage plan validate plan.json -m qwen2.5-coder-1.5b --program plan-solve\n"
      "'litestage plan VERB --help' explains a verb.");
}

}  // namespace litestage::app
