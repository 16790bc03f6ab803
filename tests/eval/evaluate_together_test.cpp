// Evaluations that several ranks share, and questions that are answered several at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "eval/evaluate.h"
#include "support/evaluating.h"

namespace litestage::test {
namespace {

TEST_F(Evaluating, SeveralRanksAnswerWhatOneDoes) {
  tasks_ = {{"one", questions("one", 7)}, {"two", questions("two", 4)}};
  const auto expected = answers(run().run);
  for (const int ranks : {1, 2, 3, 16}) {
    std::filesystem::remove(path());
    const EvalOutcome outcome = run_on(ranks);
    EXPECT_FALSE(outcome.interrupted);
    EXPECT_EQ(outcome.run.records.size(), 18U) << ranks;
    EXPECT_EQ(answers(outcome.run), expected) << ranks;
    EXPECT_EQ(answers(load_eval_run(path())), expected) << ranks;
  }
}

TEST_F(Evaluating, SeveralRanksGoOnWhereOtherNumbersStopped) {
  tasks_[0].questions = questions("one", 9);
  const auto expected = answers(run().run);
  const std::string text = read_file(path());
  for (const int ranks : {2, 3}) {
    std::size_t cut = text.size();
    for (int lines = 0; lines < 11; ++lines)
      cut = text.rfind('\n', cut - 2) + 1;
    write_file(path(), text.substr(0, cut));
    EXPECT_EQ(answers(run_on(ranks).run), expected);
    EXPECT_EQ(read_file(path()).substr(0, cut), text.substr(0, cut));
  }
}

TEST_F(Evaluating, StoppedRanksLeaveWhatIsDone) {
  const std::atomic<bool> stop{true};
  const EvalOutcome outcome = run_on(3, &stop);
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_EQ(outcome.run.records.size(), 0U);
  EXPECT_EQ(run_on(2).run.records.size(), 8U);
}

TEST_F(Evaluating, QuestionsBehindTheTimedOnesHaveTheSameAnswersAndNoTimes) {
  tasks_ = {{"one", questions("one", 7)}, {"two", questions("two", 4)}};
  const auto expected = answers(run().run);
  for (const int portion : {1, 2, 100}) {
    std::filesystem::remove(path());
    const UntimedPart untimed = behind_the_first(portion);
    const EvalOutcome outcome = run({}, nullptr, &untimed);
    EXPECT_FALSE(outcome.interrupted);
    EXPECT_EQ(answers(outcome.run), expected) << portion;
    EXPECT_EQ(answers(load_eval_run(path())), expected) << portion;
    for (const EvalRecord& record : load_eval_run(path()).records) {
      EXPECT_EQ(record.timed(), record.id.ends_with('0')) << record.id;
      for (const EvalStage& stage : record.stages)
        EXPECT_EQ(stage.prefill_ms + stage.decode_ms > 0, record.timed()) << record.id;
    }
  }
}

TEST_F(Evaluating, TimedQuestionsComeFirstAndAllArmsGetAbout) {
  tasks_ = {{"one", questions("one", 9)}};
  const UntimedPart untimed = behind_the_first(4);
  const EvalOutcome outcome = run({}, nullptr, &untimed);
  std::vector<int> arms;
  for (const EvalRecord& record : outcome.run.records)
    arms.push_back(record.timed() ? 2 : record.arm);
  EXPECT_EQ(arms, (std::vector<int>{2, 2, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1}));
}

TEST_F(Evaluating, WhatFindsNoRoomBesideOthersIsAnsweredAlone) {
  tasks_[0].questions = questions("one", 6);
  const auto expected = answers(run().run);
  std::filesystem::remove(path());
  UntimedPart untimed = behind_the_first(3);
  untimed.answer = [answer = untimed.answer](int arm, std::span<const Question* const> asked,
                                             const TakeAnswer& take, const auto* stop) {
    answer(arm, asked.first(asked.size() / 2), take, stop);
  };
  const EvalOutcome outcome = run({}, nullptr, &untimed);
  EXPECT_EQ(answers(outcome.run), expected);
  EXPECT_EQ(std::ranges::count_if(outcome.run.records, &EvalRecord::timed), 3);
}

TEST_F(Evaluating, UntimedQuestionsGoOnFromAFileCutAnywhere) {
  const UntimedPart untimed = behind_the_first(2);
  const auto expected = answers(run({}, nullptr, &untimed).run);
  const std::string text = read_file(path());
  std::size_t cut = text.size();
  for (int lines = 0; lines < 8; ++lines) {
    cut = text.rfind('\n', cut - 2) + 1;
    write_file(path(), text.substr(0, cut + 5));
    EXPECT_EQ(answers(run({}, nullptr, &untimed).run), expected);
    EXPECT_EQ(read_file(path()).substr(0, cut), text.substr(0, cut));
  }
}

TEST_F(Evaluating, AStopEndsUntimedQuestionsToo) {
  tasks_[0].questions = questions("one", 12);
  const UntimedPart untimed = behind_the_first(12);
  std::atomic<bool> stop{false};
  const EvalOutcome outcome = run(
      [&](const EvalProgress& progress) {
        EXPECT_EQ(progress.seconds_left > 0, progress.done > 0 && progress.done < progress.total);
        stop = progress.done >= 5;
      },
      &stop, &untimed);
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_GE(outcome.run.records.size(), 5U);
  EXPECT_LE(outcome.run.records.size(), 5U + 3) << "three at a time";
  EXPECT_EQ(run({}, nullptr, &untimed).run.records.size(), 26U);
}

TEST_F(Evaluating, SeveralRanksShareUntimedQuestions) {
  tasks_ = {{"one", questions("one", 7)}, {"two", questions("two", 4)}};
  const UntimedPart untimed = behind_the_first(2);
  const auto expected = answers(run({}, nullptr, &untimed).run);
  for (const int ranks : {2, 3}) {
    std::filesystem::remove(path());
    const EvalOutcome outcome = run_on(ranks, nullptr, &untimed);
    EXPECT_EQ(answers(outcome.run), expected) << ranks;
    EXPECT_EQ(std::ranges::count_if(outcome.run.records, &EvalRecord::timed), 3) << ranks;
  }
}

TEST_F(Evaluating, ARankWithOtherQuestionsOrArmsIsRefused) {
  ThreadRanks channel(2);
  ThreadRanks::End first(channel, 0);
  EvalHeader other = header_;
  other.machine = "elsewhere";
  other.arms[1].settings = "f2";
  first.from_first(to_json_line(other) + "\n[]");
  ThreadRanks::End second(channel, 1);
  std::vector<Pipeline*> pipelines;
  for (const auto& pipeline : pipelines_)
    pipelines.push_back(pipeline.get());
  try {
    evaluate(header_, pipelines, tasks_, path(), {}, nullptr, nullptr, &second);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("\"f2\" there and \"f1\" here"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace litestage::test
