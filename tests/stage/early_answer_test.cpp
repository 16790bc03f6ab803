// Answers before all stages are done: what is asked, when the rest is left out, which options are
// analyzed.
#include "stage/early_answer.h"

#include <gtest/gtest.h>

#include "litestage/error.h"
#include "litestage/pipeline.h"
#include "support/calibration.h"

namespace litestage::test {
namespace {

Program with_early_answer() {
  std::string toml(calibration_program());
  toml.insert(toml.find("[[stage]]"),
              "[early_answer]\nprompt = \"\\nQ: {{question}} Answer now:\"\n");
  return parse_program(toml, "three.toml");
}

class EarlyAnswerTest : public testing::Test {
 protected:
  QuestionRecord answer(const PipelineOptions& options) {
    Pipeline pipeline(tiny_.decoder, with_early_answer(), options);
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
  options.leave_at = 0;  // any margin is enough
  const QuestionRecord record = answer(options);
  EXPECT_EQ(names(record), (std::vector<std::string>{"recall", "early-answer"}));
  EXPECT_EQ(record.stages[1].stop_reason, StopReason::sure);
  EXPECT_EQ(record.answer, record.stages[1].text);
  EXPECT_TRUE(record.answer == "A" || record.answer == "B") << record.answer;
}

TEST_F(EarlyAnswerTest, AnUnsureOneChangesNothing) {
  PipelineOptions options;
  options.leave_at = 1;  // no option of two is ever certain
  const QuestionRecord asked = answer(options);
  const QuestionRecord plain = answer({});
  EXPECT_EQ(names(asked),
            (std::vector<std::string>{"recall", "early-answer", "analyzeA", "analyzeB", "answer"}));
  EXPECT_EQ(asked.answer, plain.answer);
  EXPECT_EQ(asked.stages[2].text, plain.stages[1].text);
  EXPECT_EQ(asked.stages.back().prompt_tokens, plain.stages.back().prompt_tokens);
}

TEST_F(EarlyAnswerTest, TheLikeliestOptionsAloneAreAnalyzed) {
  PipelineOptions options;
  options.most_branches = 1;
  const QuestionRecord record = answer(options);
  ASSERT_EQ(record.stages.size(), 4U);
  EXPECT_EQ(record.stages[2].name, "analyze");
  EXPECT_EQ(record.stages[2].option, record.stages[1].text);
  EXPECT_FALSE(record.answer.empty()) << "the answer may still be any option";
}

TEST_F(EarlyAnswerTest, AProgramWithoutOneIsRunAsEver) {
  PipelineOptions options;
  options.leave_at = 0;
  Pipeline pipeline(tiny_.decoder, tiny_.program, options);
  EXPECT_EQ(pipeline.answer(calibration_questions()[0]).stages.size(), 4U);
}

TEST(EarlyChoice, MarginAndLikeliest) {
  EarlyChoice choice;
  choice.probabilities = {0.2, 0.5, 0.05, 0.25};
  EXPECT_DOUBLE_EQ(choice.margin(), 0.25);
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
  EXPECT_NE(with_early_answer().hash, parse_program(calibration_program(), "three.toml").hash);
}

}  // namespace
}  // namespace litestage::test
