#include "support/source_files.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <sstream>

#include "support/paths.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

bool by_path(const SourceFile& left, const SourceFile& right) {
  return left.path < right.path;
}

}  // namespace

std::vector<SourceFile> library_sources() {
  std::vector<SourceFile> files;
  for (const char* top : {"include", "src"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(source_dir() / top)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      files.push_back({entry.path().lexically_relative(source_dir()).generic_string(),
                       read_file(entry.path())});
    }
  }
  std::sort(files.begin(), files.end(), by_path);
  return files;
}

std::string command_output(const std::string& command) {
  const auto close = [](std::FILE* pipe) { pclose(pipe); };
  const std::unique_ptr<std::FILE, decltype(close)> pipe(popen(command.c_str(), "r"), close);
  std::string output;
  std::array<char, 4096> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    output.append(buffer.data(), n);
  }
  return output;
}

std::vector<SourceFile> tracked_text_files() {
  const std::string listing = command_output("git -C '" + source_dir().string() +
                                             "' -c core.quotePath=off ls-files 2>/dev/null");
  std::vector<SourceFile> files;
  std::istringstream lines(listing);
  for (std::string path; std::getline(lines, path);) {
    std::string text = read_file(source_dir() / path);
    if (text.find('\0') == std::string::npos) files.push_back({path, std::move(text)});
  }
  return files;
}

}  // namespace litestage::test
