#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

#include "support/source_files.h"

// What is committed means the same on every machine: no file names somebody's folders, and an
// address points to a site that readers are meant to see.
namespace litestage::test {
namespace {

const std::set<std::string> SITES = {
    "127.0.0.1",          "localhost",  "[::1]",          "example.com",      "example.org",
    "arxiv.org",          "doi.org",    "github.com",     "aclanthology.org", "huggingface.co",
    "keepachangelog.com", "semver.org", "www.apache.org", "ai.google.dev",    "www.w3.org",
    "json-schema.org",
};

/// Occurrences of machine-bound paths and of addresses of other sites, each "path: text".
std::vector<std::string> faults(const std::vector<SourceFile>& files) {
  static const std::regex FOLDER(R"((^|[\s"'`(=:,])(/(home|root|Users|work|tmp)/[A-Za-z0-9._-]+))");
  static const std::regex ADDRESS(R"(\bhttps?://(\[[0-9a-f:]+\]|[A-Za-z0-9.-]*[A-Za-z0-9]))");
  std::vector<std::string> found;
  const auto each = [](const std::string& text, const std::regex& pattern, auto&& function) {
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it)
      function(*it);
  };
  for (const SourceFile& file : files) {
    each(file.text, FOLDER,
         [&](const std::smatch& match) { found.push_back(file.path + ": " + match[2].str()); });
    each(file.text, ADDRESS, [&](const std::smatch& match) {
      if (!SITES.contains(match[1])) found.push_back(file.path + ": " + match[0].str());
    });
  }
  return found;
}

TEST(TrackedFiles, NameNoFolderOfOneMachineAndNoUnknownSite) {
  const auto files = tracked_text_files();
  if (files.empty()) GTEST_SKIP() << "not a git checkout";
  for (const std::string& fault : faults(files))
    ADD_FAILURE() << fault;
}

TEST(TrackedFiles, FindsWhatIsForbidden) {
  const std::string slash = "/";
  const std::vector<SourceFile> files = {
      {"a.md", "see " + slash + "home/ann/notes and https:" + slash + "/example.com/x"},
      {"b.sh", "cd \"" + slash + "tmp/junk\"\ncurl http:" + slash + "/registry.invalid/y"},
      {"c.cpp", "#include \"stage" + slash + "root/x.h\"  // http:" + slash + "/127.0.0.1:80"},
  };
  const std::vector<std::string> expected = {"a.md: " + slash + "home/ann",
                                             "b.sh: " + slash + "tmp/junk",
                                             "b.sh: http:" + slash + "/registry.invalid"};
  EXPECT_EQ(faults(files), expected);
}

}  // namespace
}  // namespace litestage::test
