#include "offline/stage_timer.h"

#include <gtest/gtest.h>

#include <atomic>

#include "support/decoder_tools.h"

namespace litestage::test {
namespace {

class StageTimerTest : public testing::Test {
 protected:
  StageTimerTest() : tiny_(TinyOptions{}), decoder_(tiny_.model(), small_decoder()) {
    for (Token token = 0; token < 40; ++token)
      shape_.context.push_back(token % tiny_.vocabulary_size());
    shape_.text = {7, 11, 13};
    shape_.fresh = 10;
  }

  LoadedTiny tiny_;
  Decoder decoder_;
  StageShape shape_;
};

TEST(StageRates, StepsWithSomeBranchesLeftLieOnALine) {
  const StageRates rates{.prefill_ms = 1, .step_ms = 2, .full_step_ms = 5};
  EXPECT_EQ(rates.step_with(1, 4), 2);
  EXPECT_EQ(rates.step_with(2, 4), 3);
  EXPECT_EQ(rates.step_with(4, 4), 5);
  EXPECT_EQ(rates.step_with(1, 1), 2);
}

TEST_F(StageTimerTest, MeasuresReadingAndWritingAndLeavesTheCacheAsItWas) {
  shape_.branches = 3;
  const auto full = time_stage(decoder_, shape_, {}, std::nullopt, {.rounds = 3, .steps = 2});
  ASSERT_TRUE(full);
  EXPECT_GT(full->prefill_ms, 0);
  EXPECT_GT(full->step_ms, 0);
  EXPECT_GT(full->full_step_ms, 0);
  const auto masked =
      time_stage(decoder_, shape_, StageSettings::with_mask(SublayerMask::parse("a0,f1", 2)), full,
                 {.rounds = 3, .steps = 2});
  ASSERT_TRUE(masked);
  EXPECT_GT(masked->step_ms, 0);
  EXPECT_TRUE(decoder_.sequences().empty());
}

TEST_F(StageTimerTest, AChoiceReadFromLogitsHasNoSteps) {
  shape_.writes = false;
  const auto rates = time_stage(decoder_, shape_, {}, std::nullopt, {.rounds = 2, .steps = 2});
  ASSERT_TRUE(rates);
  EXPECT_GT(rates->prefill_ms, 0);
  EXPECT_EQ(rates->step_ms, 0);
}

TEST_F(StageTimerTest, AContextThatIsAllFreshIsFine) {
  shape_.fresh = static_cast<int>(shape_.context.size());
  EXPECT_TRUE(time_stage(decoder_, shape_, {}, std::nullopt, {.rounds = 1, .steps = 1}));
}

TEST_F(StageTimerTest, StopsWhenAsked) {
  const std::atomic<bool> stop{true};
  EXPECT_FALSE(time_stage(decoder_, shape_, {}, std::nullopt, {}, &stop));
  EXPECT_TRUE(decoder_.sequences().empty());
}

}  // namespace
}  // namespace litestage::test
