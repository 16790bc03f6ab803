#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "litestage/program.h"
#include "stage/numbers.h"

namespace litestage {
namespace {

struct Case {
  std::string text;
  std::string value;
};

Question fruit_question() {
  Question question;
  question.text = "Which is yellow?";
  question.options = letter_options({"a cherry", "a banana", "a blue banana", "a plum"});
  return question;
}

void expect_values(const Stage& stage, const Question& question, const std::vector<Case>& cases) {
  for (const Case& c : cases)
    EXPECT_EQ(read_value(stage, question, c.text), c.value) << c.text;
}

TEST(ReadValue, ChoiceFromText) {
  Stage stage;
  stage.output = OutputKind::choice;
  expect_values(stage, fruit_question(),
                {{"B", "B"},
                 {" B.", "B"},
                 {"(b)", "B"},
                 {"**B**", "B"},
                 {"[C]", "C"},
                 {"B) a banana", "B"},
                 {"B: because it is yellow", "B"},
                 {"The answer is (B).", "B"},
                 {"So the answer is option B.", "B"},
                 {"the correct answer is: **D**", "D"},
                 {"Answer: C", "C"},
                 {"The answer is option b", "B"},
                 {"At first the answer is A, but then the answer is B.", "B"},
                 {"A cherry is red. The answer is B", "B"},
                 {"The answer is a banana.", "B"},
                 {"The answer is a blue banana", "C"},
                 {"a plum", "D"},
                 {"A plum.", "D"},
                 {"The correct option is D.", "D"},
                 {"I choose (D), not (B)", "B"},
                 {"My choice: C", "C"},
                 {"A cherry would be red", ""},
                 {"The answer is E", ""},
                 {"Bananas are yellow", ""},
                 {"the answers differ", ""},
                 {"", ""}});
}

TEST(ReadValue, YesAndNo) {
  Stage stage;
  stage.output = OutputKind::choice;
  Question question;
  question.options = letter_options({"yes", "no"});
  expect_values(stage, question,
                {{"Yes", "A"},
                 {"No.", "B"},
                 {"The answer is yes.", "A"},
                 {"answer: no", "B"},
                 {"Nothing", ""},
                 {"The answer is not known", ""}});
}

TEST(ReadValue, Number) {
  Stage stage;
  stage.output = OutputKind::number;
  expect_values(stage, {},
                {{"18", "18"},
                 {"The answer is 18.", "18"},
                 {"$1,250.50 in all", "1250.5"},
                 {"1,234,567", "1234567"},
                 {"12,34", "34"},
                 {"1,2,3", "3"},
                 {"1234,567", "567"},
                 {"10 - 3 = 7", "7"},
                 {"5-10", "10"},
                 {"-5", "-5"},
                 {"it is -$5", "-5"},
                 {"it is $-5", "-5"},
                 {"\u22125.0", "-5"},
                 {"(-3)", "-3"},
                 {"-0", "0"},
                 {"007", "7"},
                 {".5", "0.5"},
                 {"0.50", "0.5"},
                 {"Rs.5", "5"},
                 {"3/4", "0.75"},
                 {"-1/2", "-0.5"},
                 {"2 1/2 cups", "2.5"},
                 {"48/2=24", "24"},
                 {"1/0", "0"},
                 {"on 3/4/2020", "2020"},
                 {"2e3", "2000"},
                 {"1.5e-2", "0.015"},
                 {"2 eggs", "2"},
                 {"50%", "50"},
                 {"\u20AC20", "20"},
                 {"20\u20AC", "20"},
                 {"5km", "5"},
                 {"H2O", ""},
                 {"7 liters of H2O", "7"},
                 {"#### 1,080", "1080"},
                 {"109200000000000000000001", "109200000000000000000001"},
                 {"none", ""},
                 {"", ""}});
}

TEST(ReadValue, Pattern) {
  Stage stage;
  stage.output = OutputKind::pattern;
  stage.pattern = R"(answer is option \(?([A-Z])\b)";
  expect_values(stage, {}, {{"so the answer is option (C).", "C"}, {"so it is C", ""}});
  stage.pattern = "high|low";
  expect_values(stage, {}, {{"very high, not low", "high"}, {"", ""}});
  stage.pattern = "x(y)?";
  expect_values(stage, {}, {{"x", "x"}, {"xy", "y"}});
}

TEST(ReadValue, PatternOfAVeryLongText) {
  Stage stage;
  stage.output = OutputKind::pattern;
  const std::string text = std::string(4'000'000, 'x') + "=12";
  // Each of these would need more stack than there is, were it matched by recursion on the text.
  for (const char* pattern : {"=([0-9]+)", "(?:.|\\n)*=([0-9]+)", "(?:(?:(?:x*)*)*)*=([0-9]+)"}) {
    stage.pattern = pattern;
    EXPECT_EQ(read_value(stage, {}, text), "12") << pattern;
  }
}

TEST(ReadValue, TextIsItself) {
  EXPECT_EQ(read_value(Stage{}, {}, " two\nlines \n"), "two\nlines");
}

TEST(NumberValue, IsTheWholeText) {
  EXPECT_EQ(number_value("1,000"), 1000.0);
  EXPECT_EQ(number_value(" -$2.50 "), -2.5);
  EXPECT_EQ(number_value("1/4"), 0.25);
  EXPECT_EQ(number_value("30%"), 30.0);
  EXPECT_EQ(number_value("30 eggs"), std::nullopt);
  EXPECT_EQ(number_value("about 3"), std::nullopt);
  EXPECT_EQ(number_value(""), std::nullopt);
}

}  // namespace
}  // namespace litestage
