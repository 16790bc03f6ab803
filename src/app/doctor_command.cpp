#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "app/choice_option.h"
#include "app/command.h"
#include "app/doctor_examine.h"
#include "app/doctor_tune.h"
#include "app/output_file.h"

namespace litestage::app {
namespace {

std::string examined(bool json) {
  const DoctorReport report = examine_machine();
  return json ? format_json(report) : format_text(report);
}

std::string tuned(const TuneSettings& settings) {
  const TuneReport report = measure_tuning(settings);
  return settings.json ? tuning_json(report) : format_tuning(report);
}

}  // namespace

void add_doctor_command(CLI::App& app, Action& action) {
  const auto settings = std::make_shared<TuneSettings>();
  const auto tune = std::make_shared<bool>(false);
  CLI::App* verb =
      app.add_subcommand("doctor", "Say what this machine and this build have, and what is off");
  verb->add_flag("--json", settings->json, "One JSON object for programs");
  verb->add_flag("--tune", *tune,
                 "Measure which threads and batch sizes suit a model on this machine");
  verb->add_option("-r,--repetitions", settings->repetitions, "Repetitions of each measurement")
      ->check(within(2, 1000))
      ->type_name("N")
      ->capture_default_str();
  add_model_options(*verb, settings->model);
  verb->footer(
      "Examples:\n"
      "  litestage doctor\n"
      "  litestage doctor --json\n"
      "  litestage doctor --tune -m qwen2.5-coder-0.5b");
  verb->callback([settings, tune, &action] {
    action = [settings, tune] {
      print_out(*tune ? tuned(*settings) : examined(settings->json));
      return EXIT_FINE;
    };
  });
}

}  // namespace litestage::app
