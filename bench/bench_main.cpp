#include "bench_main.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "app/arguments.h"
#include "app/command.h"
#include "app/usage_error.h"
#include "litestage/error.h"

namespace litestage::bench {

bool parse(CLI::App& cli, int argc, char** argv) {
  const std::vector<std::string> given = app::normalise_arguments(argc, argv);
  try {
    cli.parse(std::vector<std::string>(given.rbegin(), given.rend()));
  } catch (const CLI::Success& asked) {
    cli.exit(asked);
    return false;
  } catch (const CLI::ParseError& error) {
    throw UserError("", app::describe_usage_error(cli, error));
  }
  return true;
}

int bench_main(const char* name, const std::function<int()>& run) {
  try {
    return run();
  } catch (const UserError& error) {
    std::fprintf(stderr, "%s: error: %s\n", name, error.what());
    return app::EXIT_USER_ERROR;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: internal error: %s\n", name, error.what());
    return app::EXIT_BUG;
  }
}

}  // namespace litestage::bench
