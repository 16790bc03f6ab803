#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "app/command.h"
#include "litestage/error.h"

namespace {

int run(int argc, char** argv) {
  CLI::App app{"litestage: multi-stage reasoning with small language models, sublayers left out"};
  litestage::app::Action action;
  CLI11_PARSE(app, argc, argv);
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
