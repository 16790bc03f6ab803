#include "app/output_file.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "litestage/error.h"

namespace litestage::app {

void check_output(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const std::string name = folder.empty() ? "." : folder.string();
  std::error_code unreachable;  // what cannot be looked into cannot be written to either, as below
  if (std::filesystem::is_directory(path, unreachable))
    throw UserError(path, "is a folder", "name a file in it");
  if (::access(name.c_str(), W_OK | X_OK) != 0) {
    throw UserError(path, fmt::format("the folder {} cannot be written to", name),
                    "make it, or name another one");
  }
}

void print_out(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  check_printed();
}

void check_printed() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  throw UserError("standard output", "it cannot be written to", "check the disk, or what reads it");
}

}  // namespace litestage::app
