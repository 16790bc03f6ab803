// Answers before all stages are done: what is asked, when the rest is left out, which options are
// analyzed.
#include "stage/early_answer.h"
#include "stage/choice.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "litestage/error.h"
#include "litestage/pipeline.h"
#include "stage/stage_memo.h"
#include "support/calibration.h"

namespace litestage::test {
namespace {

class EarlyAnswerTest : public testing::Test {
 protected:
  QuestionRecord answer(const PipelineOptions& options) {
    Pipeline pipeline(tiny_.decoder, calibration_program_with_early_answer(), options);
    return pipeline.answer(calibration_questions()[0]);
  }
  static std::vector<std::string> names(const QuestionRecord& record) {
    std::vector<std::string> names;
    for (const StageRecord& stage : record.stages)
      names.push_back(stage.name + stage.option);
    return names;
  }

  Calibration tiny_;
};

TEST_F(EarlyAnswerTest, NothingIsAskedUnlessWanted) {
  EXPECT_EQ(names(answer({})),
            (std::vector<std::string>{"recall", "analyzeA", "analyzeB", "answer"}));
}

TEST_F(EarlyAnswerTest, ASureAnswerLeavesTheOtherStagesOut) {
  PipelineOptions options;
  options.early.leave_at = 0;  // any margin is enough
  const QuestionRecord record = answer(options);
  EXPECT_EQ(names(record), (std::vector<std::string>{"recall", "early-answer"}));
  EXPECT_EQ(record.stages[1].stop_reason, StopReason::sure);
  EXPECT_EQ(record.answer, record.stages[1].text);
  EXPECT_TRUE(record.answer == "A" || record.answer == "B") << record.answer;
}

TEST_F(EarlyAnswerTest, AnUnsureOneChangesNothing) {
  PipelineOptions options;
  options.early.leave_at = 1;  // no option of two is ever certain
  const QuestionRecord asked = answer(options);
  const QuestionRecord plain = answer({});
  EXPECT_EQ(names(asked),
            (std::vector<std::string>{"recall", "early-answer", "analyzeA", "analyzeB", "answer"}));
  EXPECT_EQ(asked.answer, plain.answer);
  EXPECT_EQ(asked.stages[2].text, plain.stages[1].text);
  EXPECT_EQ(asked.stages.back().prompt_tokens, plain.stages.back().prompt_tokens);
}

TEST_F(EarlyAnswerTest, AskedFirstASureAnswerNeedsNoStage) {
  PipelineOptions options;
  options.early = {0, 0, true};
  const QuestionRecord record = answer(options);
  EXPECT_EQ(names(record), std::vector<std::string>{"early-answer"});
  EXPECT_EQ(record.stages[0].stop_reason, StopReason::sure);
  EXPECT_EQ(record.answer, record.stages[0].text);
  EXPECT_TRUE(record.answer == "A" || record.answer == "B") << record.answer;
  EXPECT_TRUE(tiny_.decoder.sequences().empty()) << "the preamble goes with its pipeline";
}

TEST_F(EarlyAnswerTest, AskedFirstAnUnsureOneLeavesItsQuestionToTheFirstStage) {
  PipelineOptions options;
  options.early = {1, 0, true};
  const QuestionRecord asked = answer(options);
  const QuestionRecord plain = answer({});
  EXPECT_EQ(names(asked), (std::vector<std::string>{"early-answer", "recall", "early-answer",
                                                    "analyzeA", "analyzeB", "answer"}));
  EXPECT_EQ(asked.answer, plain.answer);
  EXPECT_EQ(asked.stages[1].text, plain.stages[0].text);
  EXPECT_EQ(asked.stages[1].prompt_tokens, plain.stages[0].prompt_tokens);
  EXPECT_GT(asked.stages[1].reused_tokens, plain.stages[0].reused_tokens + 20)
      << "the question and its options were read already";
  EXPECT_EQ(asked.stages[3].text, plain.stages[1].text);
}

TEST_F(EarlyAnswerTest, EveryVoteIsAskedFirst) {
  PipelineOptions options;
  options.early = {0, 0, true};
  options.votes = 3;
  const QuestionRecord record = answer(options);
  EXPECT_EQ(names(record), std::vector<std::string>(3, "early-answer"));
  EXPECT_EQ(record.votes, std::vector<std::string>(3, record.answer));
}

TEST(EarlyAnswerProgram, IsAskedFirstBehindTheQuestion) {
  Program program = calibration_program_with_early_answer();
  EXPECT_TRUE(can_ask_first(program));
  program.stages[0].prompt = "What must one know?";
  EXPECT_FALSE(can_ask_first(program)) << "the question would not stand there";
  program.early_answer.reset();
  EXPECT_FALSE(can_ask_first(program));
}

TEST_F(EarlyAnswerTest, TheLikeliestOptionsAloneAreAnalyzed) {
  PipelineOptions options;
  options.early.most_branches = 1;
  const QuestionRecord record = answer(options);
  ASSERT_EQ(record.stages.size(), 4U);
  EXPECT_EQ(record.stages[2].name, "analyze");
  EXPECT_EQ(record.stages[2].option, record.stages[1].text);
  EXPECT_FALSE(record.answer.empty()) << "the answer may still be any option";
}

TEST_F(EarlyAnswerTest, TellsTheMarginOfEveryLook) {
  PipelineOptions options;
  options.early.most_branches = 1;
  const QuestionRecord record = answer(options);
  for (const StageRecord& stage : record.stages)
    EXPECT_EQ(stage.margin.has_value(), stage.stop_reason == StopReason::choice) << stage.name;
  EXPECT_GE(record.stages[1].margin, 0);
  EXPECT_LE(record.stages[1].margin, 1);
}

/// Keeps everything, and counts what was computed.
class KeepingMemo : public StageMemo {
 public:
  std::optional<StageOutcome> find(const StageCall& call) override {
    const auto found = outcomes_.find(call_digest(call));
    if (found == outcomes_.end()) return std::nullopt;
    return found->second;
  }
  void store(const StageCall& call, const StageOutcome& outcome) override {
    ++computed;
    outcomes_[call_digest(call)] = outcome;
  }
  int computed = 0;

 private:
  std::map<std::string, StageOutcome> outcomes_;
};

TEST_F(EarlyAnswerTest, AMemoKnowsEarlyAnswersToo) {
  for (const KvReuse reuse : {KvReuse::exact, KvReuse::whole}) {
    KeepingMemo memo;
    PipelineOptions options;
    options.kv_reuse = reuse;
    options.early = {1, 1};
    const QuestionRecord plain = answer(options);
    options.memo = &memo;
    const QuestionRecord first = answer(options);
    EXPECT_EQ(memo.computed, 4) << "recall, early answer, one branch, answer";
    const QuestionRecord second = answer(options);
    EXPECT_EQ(memo.computed, 4);
    for (const QuestionRecord* record : {&first, &second}) {
      ASSERT_EQ(names(*record), names(plain));
      EXPECT_EQ(record->answer, plain.answer);
      for (std::size_t i = 0; i < plain.stages.size(); ++i) {
        EXPECT_EQ(record->stages[i].text, plain.stages[i].text);
        EXPECT_EQ(record->stages[i].margin, plain.stages[i].margin);
      }
    }
    // Stages that a question with early answers and one without have in common are one.
    options.early = {};
    answer(options);
    EXPECT_EQ(memo.computed, 6) << "both branches at once, and what follows from them";
  }
}

TEST_F(EarlyAnswerTest, NothingIsReadWhereAllIsRemembered) {
  KeepingMemo memo;
  PipelineOptions options;
  options.early = {1, 0};
  options.memo = &memo;
  answer(options);
  tiny_.decoder.clear();
  const auto before = tiny_.decoder.graph_statistics();
  answer(options);
  const auto after = tiny_.decoder.graph_statistics();
  EXPECT_EQ(after.built + after.reused, before.built + before.reused);
}

TEST_F(EarlyAnswerTest, AProgramWithoutOneIsRunAsEver) {
  PipelineOptions options;
  options.early.leave_at = 0;
  Pipeline pipeline(tiny_.decoder, tiny_.program, options);
  EXPECT_EQ(pipeline.answer(calibration_questions()[0]).stages.size(), 4U);
}

TEST(EarlyChoice, MarginAndLikeliest) {
  EarlyChoice choice;
  choice.probabilities = {0.2, 0.5, 0.05, 0.25};
  EXPECT_DOUBLE_EQ(lead(choice.probabilities), 0.25);
  EXPECT_DOUBLE_EQ(lead({0.75}), 0.75);
  EXPECT_DOUBLE_EQ(lead({}), 0);
  Question question;
  question.options = letter_options({"w", "x", "y", "z"});
  const std::vector<Option> two = choice.likeliest(question, 2);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].letter, "B");
  EXPECT_EQ(two[1].letter, "D");
  EXPECT_EQ(choice.likeliest(question, 9).size(), 4U);
}

TEST(EarlyAnswerProgram, QuotesNothingThatIsNotKnownYet) {
  std::string toml(calibration_program());
  toml.insert(toml.find("[[stage]]"), "[early_answer]\nprompt = \"{{stage.recall}}\"\n");
  try {
    parse_program(toml, "three.toml");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("stage.recall"), std::string::npos) << error.what();
  }
}

TEST(EarlyAnswerProgram, IsPartOfTheProgramsHash) {
  EXPECT_NE(calibration_program_with_early_answer().hash,
            parse_program(calibration_program(), "three.toml").hash);
}

}  // namespace
}  // namespace litestage::test
