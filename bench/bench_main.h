#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace litestage::bench {

/// Reads a measuring program's command line.
/// @return false when it asked for help, which was shown
/// @throws UserError for what cannot be understood
bool parse(CLI::App& cli, int argc, char** argv);

/// Runs a measuring program and says what goes wrong as the litestage program does.
/// @param run returns the exit code
int bench_main(const char* name, const std::function<int()>& run);

}  // namespace litestage::bench
