// What a preview of the head is learned from and checked on.
#include "app/head_trial.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "app/progress.h"
#include "support/calibration.h"
#include "support/temporary.h"
#include "support/verb_test.h"

namespace litestage::test {
namespace {

class HeadQuestionsTest : public testing::Test {
 protected:
  HeadQuestionsTest() {
    std::vector<Question> all = calibration_questions();
    all.insert(all.end(), 3, all[0]);
    // No text in this decoder's context of 1,024 tokens.
    all[3].text = std::string(2000, 'x');
    write_file(set_, question_lines(all));
  }

  app::HeadQuestions read(std::size_t limit, long check_tokens) {
    return app::head_questions({set_}, {.limit = limit}, tiny_.decoder, check_tokens);
  }

  Calibration tiny_;
  TemporaryFolder folder_;
  std::string set_ = folder_ / "set.jsonl";
};

TEST_F(HeadQuestionsTest, TheFirstAreAnsweredAndTheOthersReadWhereTheyFit) {
  const app::HeadQuestions questions = read(2, 1'000'000);
  ASSERT_EQ(questions.answered.size(), 2U);
  EXPECT_EQ(questions.answered[1].text, calibration_questions()[1].text);
  EXPECT_EQ(questions.check.size(), 2U) << "three are left, and one of them is too long";
  for (const std::vector<Token>& text : questions.check)
    EXPECT_LE(text.size(), static_cast<std::size_t>(tiny_.decoder.options().context));

  EXPECT_EQ(read(2, 1).check.size(), 1U) << "the first text has so many tokens";
  EXPECT_TRUE(read(2, 0).check.empty());
  EXPECT_TRUE(read(9, 1'000'000).check.empty()) << "all are answered";
  EXPECT_EQ(read(9, 1'000'000).answered.size(), 5U);
}

TEST_F(HeadQuestionsTest, NoMoreIsLearnedFromThanAsked) {
  const std::vector<Question> questions = calibration_questions();
  const std::atomic<bool> stop{false};
  app::ProgressBar bar;
  const auto texts = [&](long most) {
    return *app::head_learning_texts(tiny_.decoder, tiny_.program, questions, {}, most, bar, stop);
  };
  const app::HeadTexts all = texts(1'000'000);
  ASSERT_GT(all.size(), questions.size()) << "branches have texts of their own";
  EXPECT_EQ(texts(app::token_count(all)), all);
  const long first = static_cast<long>(all[0].size());
  EXPECT_EQ(texts(first), app::HeadTexts(all.begin(), all.begin() + 1));
  EXPECT_EQ(texts(first + 1), app::HeadTexts(all.begin(), all.begin() + 2));
}

}  // namespace
}  // namespace litestage::test
