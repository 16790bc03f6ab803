#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "app/command.h"
#include "app/doctor_examine.h"

namespace litestage::app {

void add_doctor_command(CLI::App& app, Action& action) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* verb =
      app.add_subcommand("doctor", "Say what this machine and this build have, and what is off");
  verb->add_flag("--json", *json, "One JSON object for programs");
  verb->footer(
      "Examples:\n"
      "  litestage doctor\n"
      "  litestage doctor --json");
  verb->callback([json, &action] {
    action = [json] {
      const DoctorReport report = examine_machine();
      const std::string text = *json ? format_json(report) : format_text(report);
      std::fwrite(text.data(), 1, text.size(), stdout);
      return EXIT_FINE;
    };
  });
}

}  // namespace litestage::app
