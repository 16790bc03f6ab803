#include "eval/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <span>

#include "eval/eval_file.h"
#include "litestage/error.h"
#include "support/calibration.h"
#include "support/eval_example.h"
#include "support/pool_tools.h"
#include "support/temporary.h"
#include "support/thread_ranks.h"

namespace litestage::test {
namespace {

/// Three arms on a tiny model: full and a mask on one task, full on another; each on its own
/// decoder.
class Evaluating : public testing::Test {
 protected:
  Evaluating() {
    tasks_ = {{"one", questions("one", 3)}, {"two", questions("two", 2)}};
    add_arm("one", "full", "none");
    add_arm("one", "masked", "f1");
    add_arm("two", "full", "none");
    header_.machine = "here";
    header_.threads = 1;
    header_.seed = 5;
    header_.created = "2026-01-31T12:00:00Z";
  }

  static std::vector<Question> questions(const std::string& task, int count) {
    std::vector<Question> questions;
    for (int i = 0; i < count; ++i) {
      Question question = calibration_questions()[static_cast<std::size_t>(i % 2)];
      question.id = task + std::to_string(i);
      question.text += " " + question.id;
      questions.push_back(question);
    }
    return questions;
  }

  void add_arm(const std::string& task, const std::string& policy, const std::string& mask) {
    EvalArm arm;
    arm.task = task;
    arm.policy = policy;
    arm.program = "three";
    arm.settings = mask;
    header_.arms.push_back(arm);
    DecoderOptions decoder = small_decoder();
    decoder.context = 512;
    decoders_.push_back(std::make_unique<Decoder>(tiny_.model(), decoder));
    PipelineOptions options;
    options.settings =
        StageSettings::with_mask(SublayerMask::parse(mask, tiny_.model()->layer_count()));
    pipelines_.push_back(std::make_unique<Pipeline>(
        *decoders_.back(), parse_program(calibration_program(), "program.toml"), options));
  }

  EvalOutcome run(const std::function<void(const EvalProgress&)>& progress = {},
                  const std::atomic<bool>* stop = nullptr, const UntimedPart* untimed = nullptr) {
    std::vector<Pipeline*> pipelines;
    for (const auto& pipeline : pipelines_)
      pipelines.push_back(pipeline.get());
    return evaluate(header_, pipelines, tasks_, path(), progress, stop, untimed);
  }

  /// The same by several ranks, each on decoders of its own. @return the first one's outcome
  EvalOutcome run_on(int ranks, const std::atomic<bool>* stop = nullptr,
                     const UntimedPart* untimed = nullptr) {
    ThreadRanks channel(ranks);
    const auto one_rank = [&](int rank, const std::vector<Pipeline*>& pipelines) {
      ThreadRanks::End end(channel, rank);
      return evaluate(header_, pipelines, tasks_, path(), {}, stop, untimed, &end);
    };
    std::vector<std::future<EvalOutcome>> others;
    for (int rank = 1; rank < ranks; ++rank) {
      others.push_back(std::async(std::launch::async, [&, rank] {
        std::vector<Decoder> decoders;
        std::vector<std::unique_ptr<Pipeline>> pipelines;
        std::vector<Pipeline*> pointers;
        decoders.reserve(header_.arms.size());
        for (const EvalArm& arm : header_.arms) {
          DecoderOptions options = small_decoder();
          options.context = 512;
          decoders.emplace_back(tiny_.model(), options);
          PipelineOptions settings;
          settings.settings = StageSettings::with_mask(
              SublayerMask::parse(arm.settings, tiny_.model()->layer_count()));
          pipelines.push_back(std::make_unique<Pipeline>(
              decoders.back(), parse_program(calibration_program(), "program.toml"), settings));
          pointers.push_back(pipelines.back().get());
        }
        return one_rank(rank, pointers);
      }));
    }
    std::vector<Pipeline*> pipelines;
    for (const auto& pipeline : pipelines_)
      pipelines.push_back(pipeline.get());
    EvalOutcome outcome = one_rank(0, pipelines);
    for (std::future<EvalOutcome>& other : others)
      EXPECT_TRUE(other.get().run.records.empty()) << "the first rank alone has the records";
    return outcome;
  }

  /// All questions but the first of each task on a pool, three at a time.
  UntimedPart behind_the_first(int portion) {
    return {
        1, portion,
        [this](int arm, std::span<const Question* const> asked, const TakeAnswer& take,
               const std::atomic<bool>* stop) {
          DecoderPool pool(tiny_.model(), exact_decoder(1024));
          PipelineOptions options;
          options.settings = StageSettings::with_mask(SublayerMask::parse(
              header_.arms[static_cast<std::size_t>(arm)].settings, tiny_.model()->layer_count()));
          answer_side_by_side(pool, 3, parse_program(calibration_program(), "program.toml"),
                              options, asked, take, stop);
        }};
  }

  std::string path() const { return (folder_ / "x.jsonl").string(); }

  /// What was answered, without the times: equal runs give equal answers. As the file has it: a
  /// random model writes bytes that are no UTF-8.
  static std::map<std::pair<int, std::string>, std::string> answers(const EvalRun& run) {
    std::map<std::pair<int, std::string>, std::string> answers;
    for (const EvalRecord& record : parse_eval_run(eval_file(run), "run").records) {
      std::string& text = answers[{record.arm, record.id}];
      text = record.prediction;
      for (const EvalStage& stage : record.stages)
        text += "|" + stage.text + "|" + stage.mask;
    }
    return answers;
  }

  void expect_refused(const std::string& part) {
    const std::string before = std::filesystem::exists(path()) ? read_file(path()) : "";
    try {
      run();
      FAIL() << "accepted";
    } catch (const UserError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
    if (!before.empty()) {
      EXPECT_EQ(read_file(path()), before);
    }
  }

  TemporaryFolder folder_;
  LoadedTiny tiny_{TinyOptions{}};
  EvalHeader header_;
  std::vector<EvalTask> tasks_;
  std::vector<std::unique_ptr<Decoder>> decoders_;
  std::vector<std::unique_ptr<Pipeline>> pipelines_;
};

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
