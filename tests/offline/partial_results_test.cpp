// Finished pieces survive whatever ends the process.
#include "offline/partial_results.h"

#include <gtest/gtest.h>

#include <string>

#include "litestage/error.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

class PartialResultsTest : public testing::Test {
 protected:
  std::string fault(const std::string& key = "key") const {
    try {
      const PartialResults results(path_, key);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "work.partial";
};

TEST_F(PartialResultsTest, ComeBackAfterTheEnd) {
  {
    PartialResults results(path_, "key");
    EXPECT_EQ(results.find("a"), nullptr);
    results.add("a", {{"x", 1.5}});
    results.add("b \"quoted\"", {1, 2, 3});
    ASSERT_NE(results.find("a"), nullptr);
  }
  const PartialResults results(path_, "key");
  ASSERT_NE(results.find("a"), nullptr);
  EXPECT_EQ(*results.find("a"), (nlohmann::json{{"x", 1.5}}));
  EXPECT_EQ(results.find("b \"quoted\"")->size(), 3U);
  EXPECT_EQ(results.find("c"), nullptr);
}

// Wherever a kill cuts the file, all whole lines are there, and the work goes on behind them.
TEST_F(PartialResultsTest, ALineThatWasCutOffIsDropped) {
  {
    PartialResults results(path_, "key");
    results.add("a", 1);
    results.add("b", 2);
  }
  const std::string whole = read_file(path_);
  const std::size_t first_line = whole.find('\n') + 1;
  const std::size_t second_line = whole.find('\n', first_line) + 1;
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    write_file(path_, whole.substr(0, length));
    {
      PartialResults results(path_, "key");
      EXPECT_EQ(results.find("a") != nullptr, length >= second_line) << length;
      EXPECT_EQ(results.find("b") != nullptr, length == whole.size()) << length;
      results.add("c", 3);
    }
    const PartialResults again(path_, "key");
    ASSERT_NE(again.find("c"), nullptr) << length;
    EXPECT_EQ(again.find("a") != nullptr, length >= second_line) << length;
  }
}

TEST_F(PartialResultsTest, OfOtherWorkAreRefused) {
  { const PartialResults results(path_, "one"); }
  EXPECT_NE(fault("two").find("was begun with another model"), std::string::npos) << fault("two");
  EXPECT_EQ(fault("one"), "no error");
}

TEST_F(PartialResultsTest, TwoProcessesMayNotShareThem) {
  const PartialResults results(path_, "key");
  EXPECT_NE(fault().find("another process"), std::string::npos);
}

TEST_F(PartialResultsTest, ADamagedLineIsNamed) {
  {
    PartialResults results(path_, "key");
    results.add("a", 1);
  }
  const std::string whole = read_file(path_);
  write_file(path_, whole + "{\"name\": 3, \"value\": 1}\n");
  EXPECT_NE(fault().find("work.partial:3"), std::string::npos) << fault();
  write_file(path_, whole + "garbage\n");
  EXPECT_NE(fault().find("work.partial:3"), std::string::npos) << fault();
  write_file(path_, "[]\n");
  EXPECT_NE(fault().find("work.partial:1"), std::string::npos) << fault();
}

TEST_F(PartialResultsTest, AFileThatCannotBeMadeIsAUserError) {
  path_ = folder_ / "no/such/folder/work.partial";
  EXPECT_NE(fault().find("cannot be written"), std::string::npos) << fault();
}

TEST_F(PartialResultsTest, WithoutAFileTheyAreInMemory) {
  PartialResults results("", "key");
  results.add("a", 1);
  EXPECT_EQ(*results.find("a"), 1);
}

}  // namespace
}  // namespace litestage::test
