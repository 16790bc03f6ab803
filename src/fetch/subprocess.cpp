#include "fetch/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>

#include "fetch/descriptor.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not in every system's headers

namespace litestage::fetch {
namespace {

constexpr std::size_t KEPT_OUTPUT = 16'384;
constexpr int TICK_MS = 100;

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (std::string& word : words)
    result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> merged_environment(const std::vector<std::string>& variables) {
  std::vector<std::string> merged = variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto name = text.substr(0, text.find('=') + 1);
    bool is_replaced = false;
    for (const std::string& variable : variables)
      is_replaced |= variable.starts_with(name);
    if (!is_replaced) merged.emplace_back(text);
  }
  return merged;
}

/// What the child's descriptors and process group shall be.
class SpawnSettings {
 public:
  explicit SpawnSettings(int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, 1);
    posix_spawn_file_actions_adddup2(&actions_, output, 2);
    posix_spawnattr_init(&attributes_);
    // A group of its own: Ctrl-C reaches us alone, and we can end the child with all it started.
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes_, 0);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  int spawn(pid_t& child, std::vector<std::string> arguments, std::vector<std::string> variables) {
    return ::posix_spawnp(&child, arguments.front().c_str(), &actions_, &attributes_,
                          pointers(arguments).data(), pointers(variables).data());
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// Ends a process group: politely, then surely.
void end_group(pid_t child) {
  ::kill(-child, SIGTERM);
  for (int i = 0; i < 20; ++i) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == child)
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds(TICK_MS));
  }
  ::kill(-child, SIGKILL);
}

/// Waits for output, or a tick; false at its end.
bool read_some(int pipe, std::string& output) {
  pollfd waited{pipe, POLLIN, 0};
  if (::poll(&waited, 1, TICK_MS) <= 0) return true;
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(pipe, buffer.data(), buffer.size());
  if (count < 0) return errno == EINTR;
  output.append(buffer.data(), static_cast<std::size_t>(count));
  if (output.size() > KEPT_OUTPUT) output.erase(0, output.size() - KEPT_OUTPUT);
  return count > 0;
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& arguments,
                          const std::vector<std::string>& variables,
                          const std::function<bool()>& on_tick) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe");
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  pid_t child = 0;
  const int error =
      SpawnSettings(writing.get()).spawn(child, arguments, merged_environment(variables));
  writing = Descriptor();
  ProcessResult result;
  if (error != 0) {
    result.exit_code = 127;
    result.output = std::generic_category().message(error);
    return result;
  }
  try {
    while (read_some(reading.get(), result.output)) {
      if (!on_tick()) {
        result.stopped = true;
        end_group(child);
        break;
      }
    }
  } catch (...) {
    end_group(child);
    wait_for(child);
    throw;
  }
  result.exit_code = wait_for(child);
  return result;
}

}  // namespace litestage::fetch
