#include "eval/eval_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "support/eval_example.h"

namespace litestage::test {
namespace {

TEST(LeastForPercentiles, IsTheLeastThatHoldsWithNinetyNinePercent) {
  // Two or more of n samples lie beyond the percentile unless none or one does.
  const auto chance = [](int n, double beyond) { return 1 - Binomial(n).at_most(1, n, beyond); };
  EXPECT_GE(chance(LEAST_FOR_P99, 0.01), 0.99);
  EXPECT_LT(chance(LEAST_FOR_P99 - 1, 0.01), 0.99);
  EXPECT_GE(chance(LEAST_FOR_P90, 0.10), 0.99);
  EXPECT_LT(chance(LEAST_FOR_P90 - 1, 0.10), 0.99);
}

TEST(Summary, FiguresOfOneArm) {
  const std::vector<ArmSummary> summaries = summarize(eval_example());
  ASSERT_EQ(summaries.size(), 4U);
  const ArmSummary& arm = summaries[1];
  EXPECT_EQ(arm.arm.policy, "adaskip:k=2");
  EXPECT_EQ(arm.questions, 3);
  EXPECT_EQ(arm.correct, 2);
  EXPECT_DOUBLE_EQ(arm.accuracy, 2.0 / 3);
  // Deviations 1/3, 1/3, -2/3: sample variance (6 / 9) / 2 = 1 / 3.
  EXPECT_NEAR(arm.accuracy_stderr, std::sqrt(1.0 / 3) / std::sqrt(3.0), 1e-12);
  EXPECT_EQ(arm.accuracy_95.low, wilson_95(2, 3).low);
  EXPECT_EQ(arm.tuned_on, 1);
  EXPECT_DOUBLE_EQ(arm.mean_ms, 510);
  EXPECT_DOUBLE_EQ(arm.p50_ms, 510);
  EXPECT_DOUBLE_EQ(arm.p90_ms, 518);
  EXPECT_FALSE(arm.p99_ms);
  EXPECT_DOUBLE_EQ(arm.tokens, 60);
  // Stages take a quarter and a half of what they are given, which is the whole question's time.
  EXPECT_DOUBLE_EQ(arm.overhead_ms, 510 / 4.0);
  ASSERT_EQ(arm.stages.size(), 2U);
  EXPECT_EQ(arm.stages[1].stage, "analyze");
  EXPECT_DOUBLE_EQ(arm.stages[1].tokens, 40);
  EXPECT_DOUBLE_EQ(arm.stages[1].fresh, 56);
  EXPECT_DOUBLE_EQ(arm.stages[1].decode_ms, 510 / 4.0);
}

TEST(Summary, UnansweredQuestionsAreCounted) {
  EXPECT_EQ(summarize(eval_example())[3].unanswered, 1);
}

TEST(Summary, ComparesWithFullOnTheSameTask) {
  const std::vector<ArmSummary> summaries = summarize(eval_example());
  EXPECT_FALSE(summaries[0].against_full);
  ASSERT_TRUE(summaries[1].against_full);
  const Comparison& one = *summaries[1].against_full;
  EXPECT_EQ(one.questions, 3);
  EXPECT_EQ(one.lost, 1);
  EXPECT_EQ(one.gained, 0);
  EXPECT_NEAR(one.difference, -100.0 / 3, 1e-12);
  EXPECT_EQ(one.mcnemar_p, 1);
  EXPECT_NEAR(one.difference_95.low, 100 * paired_difference_95(1, 0, 3).low, 1e-12);
  EXPECT_DOUBLE_EQ(one.speedup.value, 3300.0 / 1530);
  ASSERT_TRUE(summaries[3].against_full);
  EXPECT_EQ(summaries[3].against_full->gained, 1);
  EXPECT_DOUBLE_EQ(summaries[3].against_full->speedup.value, 2);
}

// Whose coverage is tested where they are made.
TEST(Summary, IntervalsAreThoseOfBaseOnTheQuestionsOfBoth) {
  const EvalRun run = eval_example();
  const ArmSummary arm = summarize(run)[1];
  const std::vector<double> full = {1000, 1100, 1200};
  const std::vector<double> times = {500, 510, 520};
  const Comparison& comparison = *arm.against_full;
  const Ratio speedup = bootstrap_ratio_95(full, times, run.header.seed);
  EXPECT_EQ(comparison.speedup.low, speedup.low);
  EXPECT_EQ(comparison.speedup.high, speedup.high);
  EXPECT_LT(speedup.low, speedup.high);
  const Interval mean = bootstrap_mean_95(times, run.header.seed);
  EXPECT_EQ(arm.mean_ms_95.low, mean.low);
  EXPECT_EQ(arm.mean_ms_95.high, mean.high);
  const Interval accuracy = wilson_95(2, 3);
  EXPECT_EQ(arm.accuracy_95.high, accuracy.high);
  const Interval difference = paired_difference_95(1, 0, 3);
  EXPECT_NEAR(comparison.difference_95.high, 100 * difference.high, 1e-12);
  EXPECT_EQ(comparison.mcnemar_p, mcnemar_exact(1, 0));
}

TEST(Summary, WhatIsSavedAddsUpAndWritingIsAProduct) {
  EvalRun run = eval_example();
  for (EvalRecord& record : run.records) {
    for (StageRecord& stage : record.stages)
      stage.tokens = record.arm == 1 ? 31 : 20;
  }
  const std::vector<ArmSummary> summaries = summarize(run);
  const ArmSummary& full = summaries[0];
  const ArmSummary& arm = summaries[1];
  const Comparison& comparison = *arm.against_full;
  EXPECT_NEAR(
      comparison.saved_reading_ms + comparison.saved_writing_ms + comparison.saved_overhead_ms,
      full.mean_ms - arm.mean_ms, 1e-9);
  EXPECT_NEAR(comparison.gain_per_token * comparison.length_change,
              full.stages[0].decode_ms / arm.stages[0].decode_ms, 1e-9);
  EXPECT_NEAR(comparison.length_change, 20.0 / 31, 1e-12);
}

TEST(Summary, ComparesOnlyQuestionsThatBothAnswered) {
  EvalRun run = eval_example();
  std::erase_if(run.records,
                [](const EvalRecord& record) { return record.arm == 0 && record.id == "q1"; });
  EXPECT_EQ(summarize(run)[1].against_full->questions, 2);
  EXPECT_EQ(summarize(run)[1].against_full->lost, 0);
  std::erase_if(run.records, [](const EvalRecord& record) { return record.arm == 0; });
  const std::vector<ArmSummary> without = summarize(run);
  ASSERT_EQ(without.size(), 3U);  // an arm without a record is left out
  EXPECT_FALSE(without[0].against_full);
}

/// The example with untimed answers of two further questions to the first task, by both policies.
EvalRun with_untimed() {
  EvalRun run = eval_example();
  for (const int arm : {0, 1}) {
    for (const char* id : {"q8", "q9"}) {
      EvalRecord record = run.records[static_cast<std::size_t>(arm)];
      record.id = id;
      record.total_ms = 0;
      record.correct = arm == 1;
      for (EvalStage& stage : record.stages) {
        stage.prefill_ms = stage.decode_ms = 0;
        stage.tokens = 50;
      }
      run.records.push_back(record);
    }
  }
  return run;
}

TEST(Summary, UntimedAnswersCountForAccuracyAndLengthAlone) {
  const std::vector<ArmSummary> timed = summarize(eval_example());
  const std::vector<ArmSummary> all = summarize(with_untimed());
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[1].questions, 5);
  EXPECT_EQ(all[1].timed, 3);
  EXPECT_EQ(all[1].correct, 4);
  EXPECT_DOUBLE_EQ(all[1].tokens, (3 * 60 + 2 * 150) / 5.0);
  EXPECT_EQ(all[1].mean_ms, timed[1].mean_ms);
  EXPECT_EQ(all[1].overhead_ms, timed[1].overhead_ms);
  EXPECT_EQ(all[1].stages[0].decode_ms, timed[1].stages[0].decode_ms);
  EXPECT_EQ(all[1].stages[0].tokens, timed[1].stages[0].tokens);
  const Comparison& before = *timed[1].against_full;
  const Comparison& after = *all[1].against_full;
  EXPECT_EQ(after.questions, 5);
  EXPECT_EQ(after.timed, 3);
  EXPECT_EQ(after.gained, before.gained + 2);
  EXPECT_EQ(after.speedup.value, before.speedup.value);
  EXPECT_EQ(after.length_change, before.length_change);
  EXPECT_EQ(after.saved_writing_ms, before.saved_writing_ms);
}

TEST(Summary, AnArmWithoutTimesIsLeftOut) {
  EvalRun run = with_untimed();
  std::erase_if(run.records, [](const EvalRecord& r) { return r.arm == 1 && r.timed(); });
  EXPECT_EQ(summarize(run).size(), 3U);
  run = with_untimed();
  std::erase_if(run.records, [](const EvalRecord& r) { return r.arm == 0 && r.id != "q8"; });
  run.records.push_back(eval_example().records[0]);
  run.records.back().id = "another";
  EXPECT_FALSE(summarize(run)[1].against_full) << "no question that both have timed";
}

TEST(Summary, ANumberThatCannotBeIsNoNumber) {
  EvalRun run = eval_example();
  for (EvalRecord& record : run.records) {
    if (record.arm != 1) continue;
    for (StageRecord& stage : record.stages) {
      stage.tokens = 0;
      stage.decode_ms = 0;
    }
  }
  const std::vector<ArmSummary> summaries = summarize(run);
  const Comparison& comparison = *summaries[1].against_full;
  EXPECT_TRUE(std::isnan(comparison.gain_per_token));
  EXPECT_TRUE(std::isnan(comparison.length_change));
  EXPECT_FALSE(std::isnan(comparison.gain_reading));
}

TEST(Summary, NinetyNinthPercentileNeedsEnoughQuestions) {
  EvalRun run = eval_example();
  const EvalRecord sample = run.records[0];
  run.records.clear();
  for (int i = 0; i < LEAST_FOR_P99; ++i) {
    run.records.push_back(sample);
    run.records.back().id = std::to_string(i);
    run.records.back().total_ms = 1000 + i;
  }
  ASSERT_TRUE(summarize(run)[0].p99_ms);
  EXPECT_NEAR(*summarize(run)[0].p99_ms, 1000 + 0.99 * 661, 1e-9);
  run.records.pop_back();
  EXPECT_FALSE(summarize(run)[0].p99_ms);
}

}  // namespace
}  // namespace litestage::test
