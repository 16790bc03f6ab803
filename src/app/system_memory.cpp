#include "app/system_memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string_view>

namespace litestage::app {
namespace {

constexpr const char* MEMINFO = "/proc/meminfo";

std::string text_of(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The number that a text begins with; nothing for other words, as "max".
std::optional<std::size_t> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::size_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() ? std::optional(value) : std::nullopt;
}

/// The number behind a key at the beginning of a line.
std::optional<std::size_t> number_of(std::string_view text, std::string_view key) {
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    if (at == 0 || text[at - 1] == '\n') return leading_number(text.substr(at + key.size()));
  }
  return std::nullopt;
}

/// Bytes behind a key of /proc/meminfo, which counts in KiB.
std::optional<std::size_t> meminfo_bytes(std::string_view meminfo, std::string_view key) {
  std::optional<std::size_t> bytes = number_of(meminfo, key);
  if (bytes) *bytes *= 1024;
  return bytes;
}

/// What a control group leaves; nothing where it has no limit.
std::optional<std::size_t> left_by_group(const MemoryFiles& files) {
  const auto limit = leading_number(files.limit);
  const auto used = leading_number(files.used);
  if (!limit || !used) return std::nullopt;
  const std::size_t kept_files = number_of(files.usage, "inactive_file ").value_or(0) +
                                 number_of(files.usage, "active_file ").value_or(0);
  const std::size_t taken = *used - std::min(*used, kept_files);
  return *limit - std::min(*limit, taken);
}

}  // namespace

std::optional<std::size_t> available_memory(const MemoryFiles& files) {
  const auto available = meminfo_bytes(files.meminfo, "MemAvailable:");
  const auto left = left_by_group(files);
  if (!available || !left) return available ? available : left;
  return std::min(*available, *left);
}

std::optional<std::size_t> available_memory() {
  return available_memory({text_of(MEMINFO), text_of("/sys/fs/cgroup/memory.max"),
                           text_of("/sys/fs/cgroup/memory.current"),
                           text_of("/sys/fs/cgroup/memory.stat")});
}

std::optional<std::size_t> total_memory() {
  return meminfo_bytes(text_of(MEMINFO), "MemTotal:");
}

}  // namespace litestage::app
