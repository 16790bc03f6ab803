#include "support/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <utility>

#include "support/paths.h"

namespace litestage::test {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

[[noreturn]] void become_program(const std::vector<std::string>& arguments,
                                 const std::map<std::string, std::string>& environment, int output,
                                 int errors) {
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  for (const auto& [name, value] : environment)
    setenv(name.c_str(), value.c_str(), 1);
  std::string program = program_path().string();
  std::vector<std::string> words = arguments;
  std::vector<char*> pointers{program.data()};
  for (std::string& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  execv(program.c_str(), pointers.data());
  _exit(127);
}

// Reads both ends until both are closed: one at a time could fill the other's pipe and block. A
// terminal that nobody writes on any more says so by an error.
void read_both(std::array<pollfd, 2> ends, std::array<std::string*, 2> texts) {
  std::array<char, 4096> buffer{};
  for (int open_ends = 2; open_ends > 0;) {
    if (poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) fail("poll");
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      const ssize_t count = read(ends[i].fd, buffer.data(), buffer.size());
      if (count > 0) {
        texts[i]->append(buffer.data(), static_cast<std::size_t>(count));
      } else if (count == 0 || errno != EINTR) {
        close(ends[i].fd);
        ends[i].fd = -1;
        --open_ends;
      }
    }
  }
}

/// @param output where its stdout is read, and where it goes: both are closed
ProgramResult run_with_output(const std::vector<std::string>& arguments,
                              const std::map<std::string, std::string>& environment,
                              std::array<int, 2> output) {
  std::array<int, 2> errors{};
  if (pipe2(errors.data(), O_CLOEXEC) != 0) fail("pipe2");
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) become_program(arguments, environment, output[1], errors[1]);
  close(output[1]);
  close(errors[1]);
  ProgramResult result;
  read_both({pollfd{output[0], POLLIN, 0}, pollfd{errors[0], POLLIN, 0}},
            {&result.output, &result.errors});
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) fail("waitpid");
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace

pid_t start_program(const std::vector<std::string>& arguments, const std::string& errors) {
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child != 0) return child;
  become_program(arguments, {}, open("/dev/null", O_WRONLY),
                 open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
}

int signal_program(const std::vector<std::string>& arguments, const std::string& errors, int signal,
                   const std::function<bool()>& due) {
  const pid_t child = start_program(arguments, errors);
  int status = 0;
  bool sent = false;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (!sent && due()) {
      kill(child, signal);
      sent = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return status;
}

ProgramResult run_program(const std::vector<std::string>& arguments,
                          const std::map<std::string, std::string>& environment) {
  std::array<int, 2> output{};
  if (pipe2(output.data(), O_CLOEXEC) != 0) fail("pipe2");
  return run_with_output(arguments, environment, output);
}

ProgramResult run_on_terminal(const std::vector<std::string>& arguments,
                              const std::map<std::string, std::string>& environment,
                              PseudoTerminal& terminal) {
  ProgramResult result = run_with_output(arguments, environment, terminal.release());
  std::string written;
  for (std::size_t i = 0; i < result.output.size(); ++i) {
    const bool added = result.output[i] == '\r' && result.output.substr(i + 1, 1) == "\n";
    if (!added) written += result.output[i];
  }
  result.output = std::move(written);
  return result;
}

}  // namespace litestage::test
