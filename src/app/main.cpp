#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "app/arguments.h"
#include "app/command.h"
#include "litestage/error.h"

namespace {

int run(int argc, char** argv) {
  CLI::App app{"litestage: multi-stage reasoning with small language models, sublayers left out"};
  litestage::app::Action action;
  litestage::app::add_models_commands(app, action);
  app.require_subcommand(1);
  std::vector<std::string> arguments = litestage::app::normalise_arguments(argc, argv);
  std::reverse(arguments.begin(), arguments.end());  // the order the parser wants them in
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? litestage::app::EXIT_FINE : litestage::app::EXIT_USER_ERROR;
  }
  return action ? action() : litestage::app::EXIT_FINE;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const litestage::UserError& error) {
    std::fprintf(stderr, "litestage: error: %s\n", error.what());
    return litestage::app::EXIT_USER_ERROR;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "litestage: internal error: %s\n", error.what());
    return litestage::app::EXIT_BUG;
  }
}
