#include "eval/eval_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/text_file.h"
#include "litestage/error.h"

namespace litestage {
namespace {

bool is_missing_or_empty(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? !std::filesystem::exists(path) : size == 0;
}

/// As the reader gives it back: only then are two headers comparable.
EvalHeader as_read(const EvalHeader& header) {
  return parse_eval_run(to_json_line(header) + "\n", "header").header;
}

const EvalArm* find_arm(const EvalHeader& header, const EvalArm& like) {
  const auto found = std::find_if(header.arms.begin(), header.arms.end(), [&](const EvalArm& arm) {
    return arm.task == like.task && arm.policy == like.policy;
  });
  return found == header.arms.end() ? nullptr : &*found;
}

std::string arm_name(const EvalArm& arm) {
  return fmt::format("{} on {}", arm.policy, arm.task);
}

/// One difference for people to read.
template <typename T>
std::string changed(const std::string& what, const T& there, const T& here) {
  return there == here ? "" : fmt::format("{} is {} there and {} here", what, there, here);
}

std::string first_of(std::initializer_list<std::string> differences) {
  for (const std::string& difference : differences) {
    if (!difference.empty()) return difference;
  }
  return {};
}

/// @param there, here of the same task and policy
std::string arm_difference(const EvalArm& there, const EvalArm& here) {
  const std::string name = arm_name(there);
  const auto of_arm = [&name](const std::string& what) { return what + " of " + name; };
  return first_of({changed(of_arm("the program"), there.program, here.program),
                   there.program_hash == here.program_hash
                       ? ""
                       : fmt::format("the program {} has changed since", there.program),
                   changed(of_arm("the model"), there.model_name, here.model_name),
                   changed(of_arm("the model's hash"), there.model_hash, here.model_hash),
                   there.settings == here.settings
                       ? ""
                       : fmt::format(R"(the settings of {} are "{}" there and "{}" here)", name,
                                     there.settings, here.settings),
                   there.tuned_on == here.tuned_on
                       ? ""
                       : fmt::format("{} was tuned on other questions of the set", name)});
}

std::string arms_difference(const EvalHeader& there, const EvalHeader& here) {
  for (const EvalArm& arm : there.arms) {
    if (find_arm(here, arm) == nullptr) return arm_name(arm) + " is only there";
  }
  for (const EvalArm& arm : here.arms) {
    if (find_arm(there, arm) == nullptr) return arm_name(arm) + " is only here";
  }
  for (const EvalArm& arm : there.arms) {
    if (std::string difference = arm_difference(arm, *find_arm(here, arm)); !difference.empty())
      return difference;
  }
  return there.arms == here.arms ? "" : "its policies or tasks stand in another order";
}

}  // namespace

std::string header_difference(const EvalHeader& there, const EvalHeader& here) {
  return first_of({arms_difference(there, here), changed("the seed", there.seed, here.seed),
                   changed("the machine", there.machine, here.machine),
                   changed("the number of threads", there.threads, here.threads),
                   changed("litestage", there.litestage_version, here.litestage_version),
                   changed("ggml", there.ggml_version, here.ggml_version)});
}

EvalFile::EvalFile(std::string path, const EvalHeader& header) : path_(std::move(path)) {
  // Put there in one step: no kill leaves half a header.
  if (is_missing_or_empty(path_)) write_text_file(path_, to_json_line(header) + "\n");
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) fail("cannot be written to");
  try {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      throw UserError(path_, "another evaluation is writing to it",
                      "wait for its end, or name another file");
    }
    const std::string text = read_text_file(path_);
    run_ = parse_eval_run(text, path_);
    const std::string difference = header_difference(run_.header, as_read(header));
    if (!difference.empty()) {
      throw UserError(path_, "it holds another evaluation: " + difference,
                      "give the flags it was begun with to go on with it, or name another file");
    }
    const std::size_t torn = text.size() - (text.rfind('\n') + 1);
    const std::uintmax_t whole = std::filesystem::file_size(path_) - torn;
    if (torn > 0 && ::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0)
      fail("cannot be written to");
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

EvalFile::~EvalFile() {
  ::close(descriptor_);
}

void EvalFile::fail(const std::string& doing) const {
  throw UserError(path_, doing + ": " + std::generic_category().message(errno),
                  "check the folder, its permissions and the space left");
}

void EvalFile::append(EvalRecord record) {
  const std::string line = to_json_line(record) + "\n";
  for (std::string_view left = line; !left.empty();) {
    const ssize_t written = ::write(descriptor_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written to");
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  // What cannot be synced (a pipe) is no fault of the record's.
  if (::fdatasync(descriptor_) != 0 && errno != EINVAL) fail("cannot be written to");
  run_.records.push_back(std::move(record));
}

}  // namespace litestage
