#include "eval/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "eval/eval_file.h"
#include "support/evaluating.h"

namespace litestage::test {
namespace {

TEST_F(Evaluating, EveryArmAnswersEveryQuestionOfItsTask) {
  const EvalOutcome outcome = run();
  EXPECT_FALSE(outcome.interrupted);
  EXPECT_EQ(outcome.run.records.size(), 8U);
  EXPECT_EQ(answers(outcome.run).size(), 8U);
  EXPECT_EQ(answers(load_eval_run(path())), answers(outcome.run));
  for (const EvalRecord& record : outcome.run.records) {
    const bool masked = record.arm == 1;
    EXPECT_EQ(record.stages.at(0).mask, masked ? "f1" : "none");
    EXPECT_EQ(record.correct, record.prediction == record.gold);
    EXPECT_EQ(record.question_hash.size(), 16U);
    EXPECT_EQ(record.stages.size(), 4U);
    EXPECT_GT(record.total_ms, 0);
  }
}

TEST_F(Evaluating, ArmsTakeTurnsInAnOrderThatChanges) {
  tasks_ = {{"one", questions("one", 12)}};
  const EvalOutcome outcome = run();
  ASSERT_EQ(outcome.run.records.size(), 24U);
  std::set<int> first;
  for (std::size_t i = 0; i < 24; i += 2) {
    EXPECT_EQ(outcome.run.records[i].id, outcome.run.records[i + 1].id);
    first.insert(outcome.run.records[i].arm);
  }
  EXPECT_EQ(first.size(), 2U);
}

// The first answer, in which a preamble is read, is given once more: no record has read it.
TEST_F(Evaluating, NoRecordBearsTheWarmUp) {
  const EvalOutcome outcome = run();
  for (const EvalRecord& record : outcome.run.records)
    EXPECT_GT(record.stages.at(0).reused_tokens, 0) << record.id;
}

TEST_F(Evaluating, GoesOnFromAFileCutAnywhere) {
  const auto whole = answers(run().run);
  const std::string text = read_file(path());
  const std::size_t header = text.find('\n') + 1;
  std::vector<std::size_t> cuts;
  for (std::size_t cut = header; cut < text.size(); cut = text.find('\n', cut) + 1)
    cuts.insert(cuts.end(), {cut, cut + 1, cut + 400, text.find('\n', cut)});
  ASSERT_EQ(cuts.size(), 32U);
  for (const std::size_t cut : cuts) {
    write_file(path(), text.substr(0, cut));
    const EvalOutcome outcome = run();
    EXPECT_EQ(outcome.run.records.size(), 8U) << cut;
    EXPECT_EQ(answers(outcome.run), whole) << cut;
    EXPECT_EQ(answers(load_eval_run(path())), whole) << cut;  // throws for a question twice
    // What was whole is still there, byte by byte.
    const std::size_t kept = text.substr(0, cut).rfind('\n') + 1;
    EXPECT_EQ(read_file(path()).substr(0, kept), text.substr(0, kept)) << cut;
  }
}

TEST_F(Evaluating, AFinishedRunAnswersNothing) {
  run();
  const std::string text = read_file(path());
  int told = 0;
  const EvalOutcome outcome = run([&](const EvalProgress& progress) {
    EXPECT_EQ(progress.done, 8);
    EXPECT_EQ(progress.total, 8);
    EXPECT_EQ(progress.seconds_left, 0);
    ++told;
  });
  EXPECT_EQ(told, 1);
  EXPECT_EQ(outcome.run.records.size(), 8U);
  EXPECT_EQ(read_file(path()), text);
}

TEST_F(Evaluating, MoreQuestionsAreAdded) {
  run();
  tasks_[0].questions = questions("one", 5);
  EXPECT_EQ(run().run.records.size(), 12U);
}

TEST_F(Evaluating, ProgressCountsAndTellsWhatIsLeft) {
  std::vector<int> done;
  run([&](const EvalProgress& progress) {
    EXPECT_EQ(progress.total, 8);
    EXPECT_EQ(progress.run->records.size(), static_cast<std::size_t>(progress.done));
    EXPECT_EQ(progress.seconds_left > 0, progress.done > 0 && progress.done < 8);
    done.push_back(progress.done);
  });
  EXPECT_EQ(done, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST_F(Evaluating, AStopLeavesTheAnswerAtHandOut) {
  std::atomic<bool> stop{false};
  const EvalOutcome outcome =
      run([&](const EvalProgress& progress) { stop = progress.done == 3; }, &stop);
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_EQ(outcome.run.records.size(), 3U);
  EXPECT_EQ(load_eval_run(path()).records.size(), 3U);
  EXPECT_EQ(run().run.records.size(), 8U);
}

TEST_F(Evaluating, AStoppedAnswerIsNotRecorded) {
  // Two stages write: the sixth time is in the second question, after the unrecorded answer.
  std::atomic<bool> stop{false};
  int written = 0;
  PipelineOptions options;
  options.schedules = [&](std::string_view, int) -> std::unique_ptr<MaskSchedule> {
    stop = ++written == 6;
    return nullptr;
  };
  header_.arms.resize(1);
  pipelines_.resize(1);
  pipelines_[0] = std::make_unique<Pipeline>(
      *decoders_[0], parse_program(calibration_program(), "program.toml"), options);
  const EvalOutcome outcome = run({}, &stop);
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_EQ(written, 6);
  EXPECT_EQ(outcome.run.records.size(), 1U);
  EXPECT_EQ(load_eval_run(path()).records.size(), 1U);
}

TEST_F(Evaluating, AnotherEvaluationIsRefusedByWhatDiffers) {
  run();
  const EvalHeader same = header_;
  const auto expect = [&](const std::string& part) {
    expect_refused(part);
    header_ = same;
  };
  header_.seed = 6;
  expect("the seed is 5 there and 6 here");
  header_.threads = 2;
  expect("the number of threads");
  header_.arms[1].policy = "other";
  expect("masked on one is only there");
  header_.arms[1].model_hash = "ff";
  expect("the model's hash of masked on one");
  header_.arms[1].program_hash = "ff";
  expect("the program three has changed");
  header_.arms[1].settings = "f2";
  expect("\"f1\" there and \"f2\" here");
  header_.arms[1].tuned_on = {"00"};
  expect("tuned on other questions");
  std::swap(header_.arms[0], header_.arms[1]);
  std::swap(pipelines_[0], pipelines_[1]);
  expect("another order");
  std::swap(pipelines_[0], pipelines_[1]);
  header_.created = "2027-01-31T12:00:00Z";
  header_.arms[0].model_name = "";  // as it was
  EXPECT_EQ(run().run.records.size(), 8U);
}

TEST_F(Evaluating, OtherFilesAreLeftAlone) {
  write_file(path(), "my notes");
  expect_refused("no header line");
  write_file(path(), "my notes\nof today\n");
  expect_refused("x.jsonl:1");
  write_file(path(), "");
  EXPECT_EQ(run().run.records.size(), 8U);
}

TEST_F(Evaluating, ASetThatChangedIsRefused) {
  run();
  tasks_[0].questions[1].text = "Something else?";
  expect_refused("question one1");
}

TEST_F(Evaluating, WhatCannotBeAskedIsSaidBeforeAnyWork) {
  tasks_[1].questions[1].gold.clear();
  expect_refused("no right answer");
  EXPECT_FALSE(std::filesystem::exists(path()));
  tasks_[1].questions = questions("two", 2);
  for (int i = 0; i < 400; ++i)
    tasks_[1].questions[1].text += " and so on";
  expect_refused("question two1");
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(Evaluating, OneWriterAtATime) {
  const EvalFile held(path(), header_);
  expect_refused("another evaluation is writing");
}

TEST(EvalFiles, WhatIsAppendedIsThere) {
  const TemporaryFolder folder;
  const EvalRun example = eval_example();
  const std::string path = (folder / "y.jsonl").string();
  {
    EvalFile file(path, example.header);
    for (const EvalRecord& record : example.records) {
      file.append(record);
      EXPECT_EQ(load_eval_run(path).records.size(), file.run().records.size());
    }
  }
  EXPECT_EQ(read_file(path), eval_file(example));
  EXPECT_EQ(EvalFile(path, example.header).run().records.size(), 12U);
  EXPECT_THROW(EvalFile((folder / "no/y.jsonl").string(), example.header), UserError);
}

}  // namespace
}  // namespace litestage::test
