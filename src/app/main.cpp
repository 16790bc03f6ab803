#include <fmt/format.h>
#include <ggml.h>
#include <llama.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "app/arguments.h"
#include "app/command.h"
#include "app/joined_ranks.h"
#include "app/logging.h"
#include "app/output_file.h"
#include "app/usage_error.h"
#include "litestage/error.h"

namespace {

using namespace litestage::app;

std::string version_text() {
  return fmt::format("litestage {} (ggml {}, llama {})", LITESTAGE_VERSION, ggml_version(),
                     llama_version());
}

int run(int argc, char** argv, JoinedRanks* ranks) {
  CLI::App app{"Multi-stage reasoning with small language models, any sublayer left out.",
               "litestage"};
  bool verbose = false;
  app.set_version_flag("--version", version_text(), "Print the versions and exit");
  app.add_flag("-v,--verbose", verbose, "Show what ggml and libllama log, on stderr");
  app.footer(
      "Examples:\n"
      "  litestage pull qwen2.5-coder-1.5b\n"
      "  litestage run \"Which is heavier? (A) iron (B) cotton wool\"\n"
      "  litestage bench --compare libllama\n"
      "'litestage VERB --help' explains a verb.");
  app.require_subcommand(1);
  app.fallthrough();  // --verbose may stand behind the verb

  Action action;
  add_models_commands(app, action);
  add_run_command(app, action);
  add_profile_command(app, action);
  add_search_commands(app, action, ranks);
  add_retime_command(app, action);
  add_eval_command(app, action, ranks);
  add_plan_command(app, action);
  add_head_command(app, action);
  add_report_command(app, action);
  add_bench_command(app, action);
  add_serve_command(app, action);
  add_doctor_command(app, action);

  std::vector<std::string> arguments = normalise_arguments(argc, argv);
  std::reverse(arguments.begin(), arguments.end());  // the order the parser wants them in
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    throw litestage::UserError("", describe_usage_error(app, error));
  }
  set_up_logging(verbose);
  const int code = action ? action() : EXIT_FINE;
  check_printed();
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  std::unique_ptr<JoinedRanks> ranks;
  int code = EXIT_FINE;
  try {
    ranks = join_ranks(argc, argv);
    code = run(argc, argv, ranks.get());
  } catch (const litestage::UserError& error) {
    std::fprintf(stderr, "litestage: error: %s\n", error.what());
    code = EXIT_USER_ERROR;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "litestage: internal error: %s\n", error.what());
    code = EXIT_BUG;
  }
  if (ranks && (code == EXIT_USER_ERROR || code == EXIT_BUG)) ranks->give_up(code);
  return code;
}
