#include "app/progress.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

namespace litestage::app {
namespace {

TEST(ProgressLine, ShowsShareBytesRateAndTimeLeft) {
  EXPECT_EQ(
      progress_line("model hub", 50'000'000, 200'000'000, 2'500'000, 90),
      "model hub [#######.......................]  25%  50.0 MB of 200.0 MB, 2.5 MB/s, 1:00 left");
}

TEST(ProgressLine, CountsOtherThingsThanBytes) {
  EXPECT_EQ(progress_line("4/4 damage", 72, 288, 0.5, 90, "sublayers"),
            "4/4 damage [#######.......................]  25%  72 of 288 sublayers, 7:12 left");
  EXPECT_EQ(progress_line("texts", 3, 0, 0, 90, "questions"), "texts 3 questions");
}

TEST(ProgressLine, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ(progress_line("model hub", 50'000'000, 0, 0, 80), "model hub 50.0 MB");
  EXPECT_EQ(progress_line("checking", 1'000'000'000, 1'000'000'000, 3e9, 80),
            "checking [##############################] 100%  1.00 GB of 1.00 GB, 3.00 GB/s");
}

TEST(ProgressLine, NeverFillsTheLastColumn) {
  for (int width = 0; width < 120; ++width)
    EXPECT_LT(progress_line("Python packages", 1'234'567'890, 9'876'543'210, 1, width).size(),
              static_cast<std::size_t>(std::max(width, 1)));
}

TEST(ProgressLine, WritesLongTimesWithHours) {
  EXPECT_NE(progress_line("x", 0, 36'610, 10, 100).find(", 1:01:01 left"), std::string::npos);
}

TEST(ProgressBar, SaysNothingWithoutATerminal) {
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::tmpfile(), &std::fclose);
  {
    ProgressBar bar(file.get());
    bar.show("model hub", 1, 2);
    bar.show("model hub", 2, 2);
  }
  EXPECT_EQ(std::ftell(file.get()), 0);
}

}  // namespace
}  // namespace litestage::app
