#pragma once

#include <functional>
#include <string>
#include <vector>

namespace litestage::fetch {

struct ProcessResult {
  int exit_code = 0;  ///< 128 + the signal's number when a signal ended it; 127: no such program
  bool stopped = false;
  std::string output;  ///< the last 16 kB of standard output and standard error together
};

/// Runs a program, found in PATH, with no standard input, and waits for it.
/// @param variables NAME=VALUE, set in addition to this process's own
/// @param on_tick called a few times a second; false ends the program and everything it started
ProcessResult run_process(const std::vector<std::string>& arguments,
                          const std::vector<std::string>& variables,
                          const std::function<bool()>& on_tick);

}  // namespace litestage::fetch
