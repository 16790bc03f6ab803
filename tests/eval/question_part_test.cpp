#include "eval/question_part.h"

#include <gtest/gtest.h>

#include "litestage/error.h"

namespace litestage {
namespace {

std::vector<Question> many_questions() {
  std::vector<Question> questions;
  for (int i = 0; i < 2000; ++i) {
    Question question;
    question.text = "Question " + std::to_string(i) + "?";
    questions.push_back(question);
  }
  return questions;
}

TEST(QuestionParts, AreRead) {
  const QuestionPart part = parse_question_part("0.2:0.5", "--split");
  EXPECT_EQ(part.low, 0.2);
  EXPECT_EQ(part.high, 0.5);
  EXPECT_EQ(parse_question_part("0:1", "").high, 1);
  for (const char* text : {"", "0.2", "0.5:0.2", "0.2:0.2", "-0.1:0.5", "0.5:1.5", "0.1:0.5x", ":",
                           "nan:1", "0.1:0.5:0.7", " 0:1"})
    EXPECT_THROW(parse_question_part(text, "--split"), UserError) << text;
}

TEST(QuestionParts, SharesAreEvenlySpread) {
  const std::vector<Question> questions = many_questions();
  for (int tenth = 0; tenth < 10; ++tenth) {
    const auto count = questions_in({tenth / 10.0, (tenth + 1) / 10.0}, questions).size();
    EXPECT_NEAR(static_cast<double>(count), 200, 60) << tenth;  // 4.5 standard deviations
  }
}

TEST(QuestionParts, MakeTheWholeTogether) {
  const std::vector<Question> questions = many_questions();
  const auto low = questions_in({0, 0.37}, questions).size();
  EXPECT_EQ(low + questions_in({0.37, 1}, questions).size(), questions.size());
  EXPECT_EQ(questions_in({}, questions).size(), questions.size());
}

TEST(QuestionParts, DependOnWhatIsAskedAlone) {
  Question question;
  question.text = "Why?";
  const double share = question_share(question);
  question.id = "other";
  question.gold = "B";
  EXPECT_EQ(question_share(question), share);
  question.text = "Why not?";
  EXPECT_NE(question_share(question), share);
}

}  // namespace
}  // namespace litestage
