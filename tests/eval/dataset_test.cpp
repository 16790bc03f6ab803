#include "litestage/dataset.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "litestage/program.h"

namespace litestage {
namespace {

const std::filesystem::path SOURCE(LITESTAGE_SOURCE_DIR);

TEST(Dataset, Ours) {
  const std::vector<Question> questions = parse_questions(
      "{\"id\": \"a\", \"question\": \"Who?\", \"options\": [\"x\", \"y\"], \"answer\": \"y\"}\n"
      "\n"
      "{\"question\": \"How many?\", \"answer\": 3.5, \"program\": \"plan-solve\"}\r\n"
      "{\"id\": 7, \"question\": \"Is it?\", \"options\": [\"yes\", \"no\"], \"answer\": \"A\"}\n"
      "{\"question\": \"Why?\"}",
      "folder/set.jsonl");
  ASSERT_EQ(questions.size(), 4U);
  EXPECT_EQ(questions[0].id, "a");
  EXPECT_EQ(questions[0].gold, "B");
  EXPECT_EQ(questions[0].options.at(1).letter, "B");
  EXPECT_EQ(questions[1].id, "set-2");
  EXPECT_EQ(questions[1].gold, "3.5");
  EXPECT_EQ(questions[1].program, "plan-solve");
  EXPECT_EQ(questions[2].id, "7");
  EXPECT_EQ(questions[2].gold, "A");
  EXPECT_EQ(questions[3].gold, "");
}

TEST(Dataset, PublishedFormats) {
  const std::string choices =
      R"({"id": "8-1", "question": {"stem": "S", "choices": [{"text": "x", "label": "1"},)"
      R"( {"text": "x", "label": "2"}, {"text": "z", "label": "3"}]}, "answerKey": "3"})";
  Question question = parse_questions(choices, "f").at(0);
  EXPECT_EQ(question.id, "8-1");
  EXPECT_EQ(question.gold, "C");
  EXPECT_EQ(question.options.at(0).letter, "A");
  question = parse_questions(R"([{"qid": "q", "question": "Is it?", "answer": false}])", "f").at(0);
  EXPECT_EQ(question.gold, "B");
  EXPECT_EQ(question.options.at(0).text, "yes");
  question = parse_questions(R"([{"qid": "q", "question": "Is it?"}])", "f").at(0);
  EXPECT_EQ(question.gold, "");
  ASSERT_EQ(question.options.size(), 2U);
  question = parse_questions(R"({"question": "N?", "answer": "a #### b\n#### 1,080"})", "f").at(0);
  EXPECT_EQ(question.gold, "1080");
  EXPECT_EQ(question.id, "f-1");
}

TEST(Dataset, OffsetAndLimit) {
  const std::string set =
      "{\"question\": \"1\"}\n{\"question\": \"2\"}\n{\"question\": \"3\"}\nbad\n";
  DatasetOptions options;
  options.offset = 1;
  options.limit = 2;
  const std::vector<Question> questions = parse_questions(set, "s", options);
  ASSERT_EQ(questions.size(), 2U);
  EXPECT_EQ(questions[0].text, "2");
  EXPECT_EQ(questions[0].id, "s-2");
  EXPECT_EQ(questions[1].text, "3");
}

std::string fault(std::string_view text, const DatasetOptions& options = {}) {
  try {
    parse_questions(text, "set", options);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no fault";
}

TEST(Dataset, EachFaultNamesItsLine) {
  const std::string fine = "{\"question\": \"fine\"}\n";
  const std::string ours = "{\"question\": \"Q\", ";
  const std::string stem = "{\"question\": {\"stem\": \"Q\", \"choices\": ";
  std::string thirty = ours + "\"options\": [\"0\"";
  for (int i = 1; i < 30; ++i)
    thirty += ", \"" + std::to_string(i) + "\"";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "set: there are no questions"},
      {" \n\n", "set: there are no questions"},
      {"[]", "set: there are no questions"},
      {"What is this?", "set:1:1: no valid JSON: "},
      {fine + "\n{\"question\": }", "set:3:14: no valid JSON: "},
      {fine + "{\"question\": \"a\xFF\"}", "set:2:16: invalid UTF-8"},
      {fine + "3", "set:2: a question must be a JSON object"},
      {fine + "{\"question\": \" \"}", "set:2: the question is empty"},
      {fine + "{\"id\": \"x\"}", "set:2: the question has no 'question'"},
      {fine + "{\"question\": 3}", "set:2: 'question' must be a text"},
      {fine + ours + "\"option\": []}", "set:2: unknown field 'option'; the fields are id, "},
      {fine + ours + "\"options\": [\"x\"]}", "set:2: the question has a single option"},
      {fine + ours + "\"options\": []}", "set:2: 'options' is empty"},
      {fine + ours + "\"options\": \"x\"}", "set:2: 'options' must be a list of texts"},
      {fine + ours + "\"options\": [\"x\", 1]}", "set:2: 'options' must be a list of texts"},
      {fine + ours + "\"options\": [\"x\", \"x\"]}", "set:2: option B 'x' is there twice"},
      {fine + ours + "\"options\": [\"x\", \"\"]}", "set:2: option B is empty"},
      {fine + thirty + "]}", "set:2: the question has 30 options"},
      {fine + ours + "\"options\": [\"x\", \"y\"], \"answer\": \"z\"}",
       "set:2: the answer 'z' is none of the options"},
      {fine + ours + "\"answer\": true}", "set:2: 'answer' must be a text"},
      {"{\"id\": \"x\", \"question\": \"1\"}\n{\"id\": \"x\", \"question\": \"2\"}",
       "set:2: the id 'x' is that of line 1 too"},
      {stem + "3}}", "set:1: 'choices' must be a list"},
      {stem + "[]}}", "set:1: 'choices' is empty"},
      {stem + "[3]}}", "set:1: a choice must be an object"},
      {stem + "[{\"label\": \"A\"}]}}", "set:1: the question has no 'text'"},
      {stem + "[{\"label\": \"A\", \"text\": \"x\"}]}}", "set:1: the question has a single option"},
      {stem + "[{\"label\": \"A\", \"text\": \"x\"}, {\"label\": \"B\", \"text\": \"y\"}]}, "
              "\"answerKey\": \"C\"}",
       "set:1: 'answerKey' 'C' is no choice's label"},
      {"[{\"qid\": \"q\", \"question\": \"Q\", \"answer\": true},\n{\"qid\": \"r\", \"question\": "
       "\"Q\", \"answer\": 1}]",
       "set:2: 'answer' must be true or false"},
      {"[{\"qid\": \"q\", \"question\": \"Q\"},\n\n {\"qid\": x}]", "set:3:10: no valid JSON: "},
      {"{\"question\": \"Q\", \"answer\": \"#### 3\"}\n{\"question\": \"Q\", \"answer\": \"3\"}",
       "set:2: 'answer' has no '####'"},
      {"{\"question\": \"Q\", \"answer\": \"#### \"}", "set:1: there is no number behind '####'"},
  };
  for (const auto& [text, error] : cases) {
    EXPECT_TRUE(fault(text).starts_with(error)) << text << "\n  gave " << fault(text);
  }
  DatasetOptions past;
  past.offset = 1;
  EXPECT_TRUE(fault(fine, past).starts_with("set: there are 1 questions and 1 are to be left out"));
}

TEST(Dataset, MissingFileAndFolder) {
  EXPECT_THROW(load_questions("no/such/file.jsonl"), UserError);
  EXPECT_THROW(load_questions(SOURCE.string()), UserError);
}

TEST(Dataset, BundledSetsFitTheirPrograms) {
  std::size_t with_options = 0;
  std::size_t yes_or_no = 0;
  std::size_t numbers = 0;
  for (const char* name : {"demo.jsonl", "support.jsonl"}) {
    const std::string path = (SOURCE / "questions" / name).string();
    const std::vector<Question> questions = load_questions(path);
    if (std::string(name) == "demo.jsonl") {
      EXPECT_GE(questions.size(), 24U);
    }
    for (const Question& question : questions) {
      EXPECT_FALSE(question.gold.empty()) << question.id;
      EXPECT_NO_THROW(check_fits(load_program(question.program), question, question.id));
      const bool is_yes_no = question.options.size() == 2 && question.options[0].text == "yes";
      yes_or_no += is_yes_no ? 1 : 0;
      with_options += !question.options.empty() && !is_yes_no ? 1 : 0;
      numbers += question.options.empty() ? 1 : 0;
    }
  }
  EXPECT_GE(with_options, 6U);
  EXPECT_GE(yes_or_no, 6U);
  EXPECT_GE(numbers, 6U);
}

/// The published sets, which the project does not ship: $LITESTAGE_SHARED_DATA, or shared/data
/// beside or in the source tree.
std::filesystem::path published_sets() {
  if (const char* folder = std::getenv("LITESTAGE_SHARED_DATA")) return folder;
  for (const auto& place : {SOURCE / "../shared/data", SOURCE / "shared/data"}) {
    if (std::filesystem::is_directory(place)) return place;
  }
  return {};
}

class PublishedSets : public testing::Test {
 protected:
  void SetUp() override {
    if (!published_sets().empty()) return;
    const char* ci = std::getenv("CI");
    if (ci != nullptr && std::string(ci) == "true") FAIL() << "the published sets are missing";
    GTEST_SKIP() << "set LITESTAGE_SHARED_DATA to the folder of the published sets";
  }
  static std::string path(const char* name) { return (published_sets() / name).string(); }
};

TEST_F(PublishedSets, AreReadWhole) {
  struct Set {
    const char* file;
    std::size_t questions;
    std::size_t most_options;
  };
  for (const Set& set :
       {Set{"openbookqa/dev.jsonl", 500, 4}, Set{"openbookqa/train.jsonl", 4957, 4},
        Set{"commonsenseqa/train_rand_split.jsonl", 9741, 5}, Set{"strategyqa/train.json", 2061, 2},
        Set{"gsm8k/train_1500.jsonl", 1500, 0}}) {
    const std::vector<Question> questions = load_questions(path(set.file));
    EXPECT_EQ(questions.size(), set.questions) << set.file;
    for (const Question& question : questions) {
      EXPECT_EQ(question.options.size(), set.most_options) << set.file << " " << question.id;
      EXPECT_FALSE(question.gold.empty()) << set.file << " " << question.id;
    }
  }
}

TEST_F(PublishedSets, KnownQuestions) {
  Question question = load_questions(path("openbookqa/dev.jsonl")).at(1);
  EXPECT_EQ(question.id, "7-57");
  EXPECT_EQ(question.gold, "D");
  EXPECT_EQ(question.options.at(3).text, "uses what it needs");
  question = load_questions(path("strategyqa/train.json")).at(1);
  EXPECT_EQ(question.id, "03caf265939fab701dee");
  EXPECT_EQ(question.gold, "B");
  question = load_questions(path("gsm8k/train_1500.jsonl")).at(0);
  EXPECT_EQ(question.gold, "72");
}

TEST_F(PublishedSets, AuthorsDemonstrationsServeTinyThinker) {
  for (const char* set : {"openbookqa", "commonsenseqa", "strategyqa"}) {
    const std::string toml =
        "format = 'plain'\ndemonstrations = 'demonstrations.json'\n"
        "[demonstration]\ntemplate = \"{{question}}\\n{{options}}\\n{{recall}}\\n"
        "{{analyses}}\\n{{answer}}\\n\"\n"
        "[[stage]]\nname = 'a'\nprompt = '{{question}}'\n";
    const Program program = parse_program(toml, set, published_sets() / set);
    EXPECT_NE(program.preamble.find("\n(B) is "), std::string::npos) << set;
  }
}

}  // namespace
}  // namespace litestage
