#include "offline/partial_results.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/json_field.h"
#include "base/json_list.h"
#include "base/json_read.h"
#include "base/text_file.h"
#include "litestage/error.h"

namespace litestage {
namespace {

constexpr const char* REMEDY = "remove the file to begin anew";

}  // namespace

PartialResults::PartialResults(std::string path, const std::string& key) : path_(std::move(path)) {
  if (path_.empty()) return;
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("cannot be written");
  try {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      throw UserError(path_, "another process works on it", "wait for its end, or stop it");
    }
    read(key);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

PartialResults::~PartialResults() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void PartialResults::fail(const std::string& doing) const {
  throw UserError(path_, doing + ": " + std::generic_category().message(errno),
                  "check the folder, its permissions and the space left");
}

void PartialResults::read(const std::string& key) {
  const std::string text = read_text_file(path_);
  const std::size_t whole = text.rfind('\n') + 1;  // 0 when there is no line yet
  if (whole < text.size() && ::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0)
    fail("cannot be written");
  if (whole == 0) return append({{"partial", key}});
  bool first = true;
  for (const JsonElement& line : split_lines(std::string_view(text).substr(0, whole))) {
    const std::string place = located(path_, line.position.line);
    nlohmann::json value = parse_json(line.text, path_, line.position);
    const JsonField field(value, place);
    if (first) {
      field.expect_keys({"partial"});
      if (field.member("partial").text() != key) {
        throw UserError(path_,
                        "was begun with another model, program, question set, machine or options",
                        std::string("give the same ones, or ") + REMEDY);
      }
      first = false;
      continue;
    }
    field.expect_keys({"name", "value"});
    pieces_[field.member("name").text()] = std::move(value["value"]);
  }
}

void PartialResults::append(const nlohmann::json& line) {
  const std::string text = line.dump() + "\n";
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(descriptor_, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("cannot be written");
    done += static_cast<std::size_t>(count);
  }
  if (::fdatasync(descriptor_) != 0) fail("cannot be written");
}

const nlohmann::json* PartialResults::find(const std::string& name) const {
  const auto found = pieces_.find(name);
  return found == pieces_.end() ? nullptr : &found->second;
}

const nlohmann::json& PartialResults::add(const std::string& name, nlohmann::json value) {
  if (descriptor_ >= 0) append({{"name", name}, {"value", value}});
  return pieces_[name] = std::move(value);
}

std::string PartialResults::where(const std::string& name) const {
  return path_.empty() ? name : path_ + ": " + name;
}

}  // namespace litestage
