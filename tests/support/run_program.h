#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "support/pseudo_terminal.h"

namespace litestage::test {

struct ProgramResult {
  int exit_code = -1;  ///< 128 + signal when one ended it
  std::string output;  ///< what it wrote to stdout
  std::string errors;  ///< what it wrote to stderr
};

/// Runs the built `litestage` as a user would, without a terminal, and waits for its end.
/// @param environment variables set in addition to this process's own
ProgramResult run_program(const std::vector<std::string>& arguments,
                          const std::map<std::string, std::string>& environment = {});

/// The same with its stdout on a terminal, which is used up: line ends come as they were written.
ProgramResult run_on_terminal(const std::vector<std::string>& arguments,
                              const std::map<std::string, std::string>& environment,
                              PseudoTerminal& terminal);

/// Starts it and goes on; what it writes to stdout is lost.
/// @param errors file that its stderr goes to
/// @return its process, to be waited for
pid_t start_program(const std::vector<std::string>& arguments, const std::string& errors);

/// Starts it, sends it a signal once as soon as that is due, and waits for its end.
/// @param errors file that its stderr goes to
/// @param due asked every few milliseconds
/// @return the status of waitpid: it may have ended before the signal was due
int signal_program(const std::vector<std::string>& arguments, const std::string& errors, int signal,
                   const std::function<bool()>& due);

}  // namespace litestage::test
