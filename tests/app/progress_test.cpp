#include "app/progress.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

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

TEST(ProgressText, HasNoBarAndNoEnd) {
  EXPECT_EQ(progress_text("4/4 damage", 72, 288, 0.5, "sublayers"),
            "4/4 damage  25%  72 of 288 sublayers, 7:12 left");
  EXPECT_EQ(progress_text("texts", 3, 0, 0, "questions"), "texts 3 questions");
}

TEST(ProgressText, HasMoreBehindTheTimeLeft) {
  EXPECT_EQ(progress_text("masks: recall 2/7", 30, 67, 0.5, "questions", "all masks: at most 9:00"),
            "masks: recall 2/7  44%  30 of 67 questions, 1:14 left (all masks: at most 9:00)");
}

TEST(ProgressTitle, TheLabelMakesRoomForTheNote) {
  const std::string label = "masks: analyze 2/7: prefill and decode -12 %, attention kept";
  EXPECT_EQ(progress_title(label, "right 3 (full 4)", 100), label + " · right 3 (full 4)");
  EXPECT_EQ(progress_title(label, "right 3 (full 4)", 50),
            "masks: analyze 2/7: prefill ... · right 3 (full 4)");
  EXPECT_EQ(progress_title(label, "right 3 (full 4)", 0),
            "masks: analyze 2/... · right 3 (full 4)");
  EXPECT_EQ(progress_title("short", "", 0), "short");
}

TEST(ProgressLine, CutsBetweenCharacters) {
  EXPECT_EQ(progress_line("caf\u00E9", 3, 0, 0, 6, "questions"), "caf\u00E9 ");
  EXPECT_EQ(progress_line("caf\u00E9", 3, 0, 0, 4, "questions"), "caf");
}

/// Seconds at which lines are written in work of so many steps.
std::vector<int> line_times(ProgressPace pace, int steps, int seconds_a_step, bool known = true) {
  std::vector<int> times;
  for (int step = 0; step <= steps; ++step) {
    const int time = step * seconds_a_step;
    const auto now = ProgressPace::Clock::time_point(std::chrono::seconds(time));
    const auto total = static_cast<std::uint64_t>(known ? steps : 0);
    if (pace.due(now, static_cast<std::uint64_t>(step), total)) times.push_back(time);
  }
  return times;
}

TEST(ProgressPace, ShortWorkGetsNoLine) {
  EXPECT_EQ(line_times(ProgressPace({}), 4, 1), std::vector<int>());
}

TEST(ProgressPace, EachTenthOfLongerWorkGetsALine) {
  EXPECT_EQ(line_times(ProgressPace({}), 100, 1),
            (std::vector<int>{10, 20, 30, 40, 50, 60, 70, 80, 90}));
  // Not within five seconds.
  EXPECT_EQ(line_times(ProgressPace({}), 20, 1), (std::vector<int>{5, 10, 15}));
}

TEST(ProgressPace, NothingIsSilentForMoreThanHalfAMinute) {
  const std::vector<int> times = line_times(ProgressPace({}), 2000, 1);
  int before = 0;
  for (const int time : times) {
    EXPECT_LE(time - before, 30);
    before = time;
  }
  EXPECT_GT(before, 1970);
  EXPECT_EQ(line_times(ProgressPace({}), 100, 1, false), (std::vector<int>{30, 60, 90}));
  EXPECT_EQ(line_times(ProgressPace({}), 3, 50), (std::vector<int>{50, 100}));
}

TEST(ProgressPace, OtherLinesCountToo) {
  const auto at = [](int time) {
    return ProgressPace::Clock::time_point(std::chrono::seconds(time));
  };
  ProgressPace pace(at(0));
  EXPECT_TRUE(pace.due(at(30), 1, 0));
  pace.written(at(50));
  EXPECT_FALSE(pace.due(at(79), 2, 0));
  EXPECT_TRUE(pace.due(at(80), 2, 0));
  // Tenths are those of the work at hand, time goes on.
  EXPECT_TRUE(pace.due(at(90), 5, 10));
  pace.begin();
  EXPECT_FALSE(pace.due(at(94), 2, 10));
  EXPECT_TRUE(pace.due(at(95), 2, 10));
}

TEST(ProgressBar, SaysNothingOfShortWorkWithoutATerminal) {
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
