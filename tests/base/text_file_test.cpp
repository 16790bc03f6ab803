#include "base/text_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "litestage/error.h"
#include "support/temporary.h"

namespace litestage {
namespace {

TEST(WriteTextFile, ReplacesTheOldTextAndLeavesNothingElse) {
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "plan.json").string();
  write_text_file(path, "old");
  write_text_file(path, "new\n");
  EXPECT_EQ(read_text_file(path), "new\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(WriteTextFile, SaysWhereItCannotWrite) {
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "missing" / "plan.json").string();
  try {
    write_text_file(path, "text");
    FAIL() << "expected an error";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), path);
  }
}

TEST(WriteTextFile, LeavesNothingWhenTheSystemRefusesTheName) {
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / std::string(300, 'n')).string();
  EXPECT_THROW(write_text_file(path, "text"), UserError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace litestage
