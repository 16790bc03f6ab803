#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "app/command.h"
#include "app/output_file.h"
#include "base/text_file.h"
#include "report/report.h"

namespace litestage::app {
namespace {

/// Values of `report`'s flags.
struct ReportSettings {
  std::vector<std::string> runs;
  std::vector<std::string> importances;
  std::vector<std::string> searches;
  std::string output = "report.html";
  std::string markdown;  ///< empty: none
};

int report(const ReportSettings& settings) {
  check_output(settings.output);
  if (!settings.markdown.empty()) check_output(settings.markdown);
  ReportInput input;
  for (const std::string& path : settings.runs)
    input.runs.push_back({std::filesystem::path(path).filename().string(), load_eval_run(path)});
  for (const std::string& path : settings.importances)
    input.importances.push_back(load_importance(path));
  for (const std::string& path : settings.searches)
    input.searches.push_back(load_search(path));
  write_text_file(settings.output, report_html(input));
  fmt::print(stderr, "{}\n", settings.output);
  if (!settings.markdown.empty()) {
    write_text_file(settings.markdown, report_markdown(input));
    fmt::print(stderr, "{}\n", settings.markdown);
  }
  return EXIT_FINE;
}

}  // namespace

void add_report_command(CLI::App& app, Action& action) {
  const auto settings = std::make_shared<ReportSettings>();
  CLI::App* verb = app.add_subcommand(
      "report", "Draw what 'litestage eval' recorded: tables, charts, and the texts that differ");
  verb->add_option("RUNS", settings->runs, "Records of 'litestage eval', one file or several")
      ->type_name("PATH...")
      ->required();
  verb->add_option("-o,--output", settings->output, "The page, one file that needs no network")
      ->type_name("PATH")
      ->capture_default_str();
  verb->add_option("--markdown", settings->markdown, "Write the tables as Markdown too")
      ->type_name("PATH");
  verb->add_option("--importance", settings->importances,
                   "Heat maps of what 'litestage profile' measured are added to the page")
      ->type_name("PATH...");
  verb->add_option("--search", settings->searches,
                   "Sweeps of what 'litestage search' tried (PLAN.search.json, PLAN.exit.json) are "
                   "added to the page")
      ->type_name("PATH...");
  verb->footer(
      "Examples:\n"
      "  litestage report runs.jsonl\n"
      "  litestage report runs/*.jsonl -o report.html --markdown report.md \\\n"
      "      --importance importance.json --search plan.search.json\n"
      "No model is run. Files of the same arms, of which each answered a part of the questions, "
      "are "
      "put together.");
  verb->callback([settings, &action] { action = [settings] { return report(*settings); }; });
}

}  // namespace litestage::app
