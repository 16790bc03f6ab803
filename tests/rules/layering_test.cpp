#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "support/source_files.h"

// The rule of ranks (docs/architecture.md): an include goes to a file of the same folder or of a
// folder of lower rank. A public header include/litestage/NAME.h belongs to the folder that holds
// NAME.cpp.
namespace litestage::test {
namespace {

const std::map<std::string, int> FOLDER_RANKS = {
    {"base", 0}, {"fetch", 1},   {"model", 1},  {"skip", 2},  {"stage", 3},
    {"eval", 4}, {"offline", 5}, {"report", 6}, {"serve", 7}, {"app", 8}};

/// Public headers without a .cpp of their own name.
const std::map<std::string, std::string> FOLDER_OF_HEADER = {{"mask_schedule", "skip"}};

const std::string PUBLIC_PREFIX = "include/litestage/";

std::string stem(const std::string& path) {
  const std::size_t begin = path.rfind('/') + 1;
  return path.substr(begin, path.rfind('.') - begin);
}

class Layering {
 public:
  explicit Layering(const std::vector<SourceFile>& files) : files_(files) {}

  /// What breaks the rule, one "path:line: reason" each.
  std::vector<std::string> faults() const {
    std::vector<std::string> found;
    for (const SourceFile& file : files_)
      check(file, found);
    return found;
  }

 private:
  bool exists(const std::string& path) const {
    return std::any_of(files_.begin(), files_.end(),
                       [&](const SourceFile& file) { return file.path == path; });
  }

  /// Folder under src/ that a file belongs to.
  std::optional<std::string> folder(const std::string& path) const {
    if (path.starts_with("src/")) return path.substr(4, path.find('/', 4) - 4);
    const std::string name = stem(path);
    if (const auto it = FOLDER_OF_HEADER.find(name); it != FOLDER_OF_HEADER.end()) {
      return it->second;
    }
    for (const SourceFile& file : files_) {
      if (file.path.starts_with("src/") && file.path.ends_with("/" + name + ".cpp")) {
        return folder(file.path);
      }
    }
    return std::nullopt;
  }

  void check(const SourceFile& file, std::vector<std::string>& found) const {
    const auto from = folder(file.path);
    if (!from || !FOLDER_RANKS.contains(*from)) {
      found.push_back(file.path +
                      ": belongs to no ranked folder; give a public header a .cpp of its "
                      "name or a line in FOLDER_OF_HEADER");
      return;
    }
    static const std::regex INCLUDE(R"re(^\s*#\s*include\s*"([^"]+)".*)re");
    std::istringstream lines(file.text);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      std::smatch match;
      if (!std::regex_match(line, match, INCLUDE)) continue;
      const std::string reason = fault(*from, match[1]);
      if (reason.empty()) continue;
      found.push_back(file.path + ":" + std::to_string(number) + ": " + reason);
    }
  }

  std::string fault(const std::string& from, const std::string& included) const {
    const std::string path = included.starts_with("litestage/") ? "include/" + included  //
                                                                : "src/" + included;
    if (!exists(path)) return "\"" + included + "\" is not found from include/ or src/";
    const auto to = folder(path);
    if (!to || !FOLDER_RANKS.contains(*to))
      return "\"" + included + "\" belongs to no ranked folder";
    if (*to == from || FOLDER_RANKS.at(*to) < FOLDER_RANKS.at(from)) return {};
    return from + " (rank " + std::to_string(FOLDER_RANKS.at(from)) + ") includes \"" + included +
           "\" of " + *to + " (rank " + std::to_string(FOLDER_RANKS.at(*to)) + ")";
  }

  const std::vector<SourceFile>& files_;
};

std::string one_text(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines)
    text += line + "\n";
  return text;
}

TEST(Layering, IncludesOnlyGoDownTheRanks) {
  const auto files = library_sources();
  ASSERT_GT(files.size(), 10U);
  EXPECT_EQ(one_text(Layering(files).faults()), "");
}

TEST(Layering, FindsWhatBreaksTheRule) {
  const std::vector<SourceFile> files = {
      {"include/litestage/program.h", "#pragma once\n"},
      {"include/litestage/orphan.h", ""},
      {"src/base/error.cpp", "#include <string>\n#include \"litestage/program.h\"\n"},
      {"src/fetch/pull.cpp", "#include \"model/graph.h\"\n"},
      {"src/model/graph.h", "#include \"model/families/llama.h\"\n#include \"graph.h\"\n"},
      {"src/model/families/llama.h", ""},
      {"src/stage/program.cpp", "#include \"litestage/program.h\"\n#include \"model/graph.h\"\n"},
  };
  const std::vector<std::string> faults = Layering(files).faults();
  ASSERT_EQ(faults.size(), 4U) << one_text(faults);
  EXPECT_TRUE(faults[0].starts_with("include/litestage/orphan.h: belongs to no ranked folder"));
  EXPECT_EQ(
      faults[1],
      "src/base/error.cpp:2: base (rank 0) includes \"litestage/program.h\" of stage (rank 3)");
  EXPECT_EQ(faults[2],
            "src/fetch/pull.cpp:1: fetch (rank 1) includes \"model/graph.h\" of model (rank 1)");
  EXPECT_EQ(faults[3], "src/model/graph.h:2: \"graph.h\" is not found from include/ or src/");
}

}  // namespace
}  // namespace litestage::test
