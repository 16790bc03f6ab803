#include "litestage/question.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "litestage/error.h"

namespace litestage {
namespace {

Question with_options(const std::vector<std::string>& texts) {
  Question question;
  question.text = "Which?";
  question.options = letter_options(texts);
  return question;
}

std::string fault(const Question& question, DoubledOptions doubled = DoubledOptions::refuse) {
  try {
    check_question(question, "set:3", doubled);
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "set:3");
    return error.what();
  }
  return {};
}

TEST(Question, FitToBeAsked) {
  EXPECT_EQ(fault(with_options({})), "");
  EXPECT_EQ(fault(with_options({"yes", "no"})), "");
  EXPECT_EQ(fault(with_options({"x", "x"}), DoubledOptions::allow), "");
}

TEST(Question, EachFaultHasItsError) {
  Question empty;
  empty.text = " \n";
  EXPECT_EQ(fault(empty), "set:3: the question is empty; write some text there");
  Question broken;
  broken.text = "ab\xC3(";
  EXPECT_EQ(fault(broken),
            "set:3: the question has invalid UTF-8 at byte 3; give the text as UTF-8");
  EXPECT_EQ(fault(with_options({"only"})),
            "set:3: the question has a single option; give at least two, or none at all");
  EXPECT_EQ(fault(with_options({"a", " "})), "set:3: option B is empty; write some text there");
  EXPECT_EQ(fault(with_options({"a", "\xFF"})),
            "set:3: option B has invalid UTF-8 at byte 1; give the text as UTF-8");
  EXPECT_EQ(fault(with_options({"a", "b", "a "})),
            "set:3: option C 'a ' is there twice; make the options differ");
  std::vector<std::string> many;
  for (int i = 0; i < 30; ++i)
    many.push_back("option " + std::to_string(i));
  EXPECT_EQ(fault(with_options(many)),
            "set:3: the question has 30 options; give at most 26, one a letter");
  many.resize(26);
  EXPECT_EQ(fault(with_options(many)), "");
  Question lettered = with_options({"a", "b"});
  lettered.options[1].letter = "C";
  EXPECT_EQ(fault(lettered),
            "set:3: option 2 has the letter 'C'; letter the options A, B, C, ... in order");
}

TEST(Question, RightAnswers) {
  Question choice = with_options({"yes", "no"});
  choice.gold = "A";
  EXPECT_TRUE(is_correct(choice, "a"));
  EXPECT_FALSE(is_correct(choice, "B"));
  EXPECT_FALSE(is_correct(choice, ""));
  Question number;
  number.gold = "1,080";
  EXPECT_TRUE(is_correct(number, "1080"));
  EXPECT_TRUE(is_correct(number, "1080.00"));
  EXPECT_TRUE(is_correct(number, "$1080"));
  EXPECT_FALSE(is_correct(number, "1081"));
  EXPECT_FALSE(is_correct(number, "about 1080"));
  Question text;
  text.gold = "Delivery";
  EXPECT_TRUE(is_correct(text, " delivery "));
  EXPECT_FALSE(is_correct(text, "deliver"));
  EXPECT_FALSE(is_correct(Question{}, ""));
}

TEST(SplitQuestion, TakesOptionsOutOfTheText) {
  const Question question =
      split_question("Which is heavier? (A) a brick (B) a feather (what a pity)");
  EXPECT_EQ(question.text, "Which is heavier?");
  ASSERT_EQ(question.options.size(), 2U);
  EXPECT_EQ(question.options[1].letter, "B");
  EXPECT_EQ(question.options[1].text, "a feather (what a pity)");
}

TEST(SplitQuestion, LeavesOtherTextAlone) {
  EXPECT_EQ(split_question("What is (A)?").text, "What is (A)?");
  EXPECT_TRUE(split_question("What is (A)?").options.empty());
}

}  // namespace
}  // namespace litestage
