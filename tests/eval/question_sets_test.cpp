// Several question sets taken as one.
#include "eval/question_sets.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

class QuestionSets : public testing::Test {
 protected:
  /// Writes a set of the questions "NAME 1", "NAME 2", ...; ids are numbers from 1, or left out.
  std::string set(const std::string& name, int count, bool with_ids = false) const {
    std::string lines;
    for (int i = 1; i <= count; ++i) {
      const std::string number = std::to_string(i);
      lines += "{\"question\": \"" + name + " " + number + "\"" +
               (with_ids ? ", \"id\": " + number : "") + "}\n";
    }
    const std::filesystem::path path = folder_ / (name + ".jsonl");
    std::filesystem::create_directories(path.parent_path());
    write_file(path, lines);
    return path.string();
  }

  static std::vector<std::string> texts(const std::vector<Question>& questions) {
    std::vector<std::string> texts;
    for (const Question& question : questions)
      texts.push_back(question.text);
    return texts;
  }
  static std::vector<std::string> ids(const std::vector<Question>& questions) {
    std::vector<std::string> ids;
    for (const Question& question : questions)
      ids.push_back(question.id);
    return ids;
  }

  using Texts = std::vector<std::string>;
  TemporaryFolder folder_;
};

TEST_F(QuestionSets, TakeTurns) {
  EXPECT_EQ(texts(load_question_sets({set("a", 2), set("b", 2)})),
            (Texts{"a 1", "b 1", "a 2", "b 2"}));
}

TEST_F(QuestionSets, TheLimitCountsInAll) {
  const std::vector<std::string> sets = {set("a", 4), set("b", 4), set("c", 4)};
  EXPECT_EQ(texts(load_question_sets(sets, {.limit = 4})), (Texts{"a 1", "b 1", "c 1", "a 2"}));
}

TEST_F(QuestionSets, TheOffsetCountsInEachSet) {
  const std::vector<std::string> sets = {set("a", 3), set("b", 3)};
  EXPECT_EQ(texts(load_question_sets(sets, {.offset = 1, .limit = 3})),
            (Texts{"a 2", "b 2", "a 3"}));
  EXPECT_THROW(load_question_sets({set("a", 3), set("b", 1)}, {.offset = 1}), UserError);
}

TEST_F(QuestionSets, ASetThatIsThroughLeavesItsTurnsToTheOthers) {
  EXPECT_EQ(texts(load_question_sets({set("a", 1), set("b", 3)}, {.limit = 4})),
            (Texts{"a 1", "b 1", "b 2", "b 3"}));
}

TEST_F(QuestionSets, OneIsAsItIs) {
  const std::string path = set("a", 3, true);
  const std::vector<Question> questions = load_question_sets({path}, {.limit = 2});
  EXPECT_EQ(ids(questions), (Texts{"1", "2"}));
  EXPECT_EQ(texts(questions), (Texts{"a 1", "a 2"}));
}

TEST_F(QuestionSets, IdsThatClashGetTheirSetsName) {
  const std::string numbered = set("a", 2, true);
  EXPECT_EQ(ids(load_question_sets({numbered, set("b", 2, true)})),
            (Texts{"a/1", "b/1", "a/2", "b/2"}));
  EXPECT_EQ(ids(load_question_sets({numbered, set("c", 2)})), (Texts{"1", "c-1", "2", "c-2"}))
      << "there is no clash";
}

TEST_F(QuestionSets, FilesOfOneNameAreToldApartByTheirPaths) {
  const std::vector<Question> questions =
      load_question_sets({set("x/train", 1), set("y/train", 1)});
  EXPECT_EQ(ids(questions), (Texts{(folder_ / "x/train").string() + "/train-1",
                                   (folder_ / "y/train").string() + "/train-1"}));
}

TEST_F(QuestionSets, NoneIsNamedTwice) {
  const std::string path = set("a", 1);
  EXPECT_THROW(load_question_sets({path, path}), UserError);
  EXPECT_THROW(load_question_sets({path, (folder_ / "./a.jsonl").string()}), UserError);
  EXPECT_THROW(load_question_sets({"-", "-"}), UserError);
}

TEST_F(QuestionSets, AFaultNamesItsFile) {
  write_file(folder_ / "bad.jsonl", "{\"question\": \"\"}\n");
  try {
    load_question_sets({set("a", 1), (folder_ / "bad.jsonl").string()});
    FAIL() << "a bad set was taken";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("bad.jsonl:1"), std::string::npos) << error.what();
  }
}

TEST(QuestionSetNames, AreFileNames) {
  EXPECT_EQ(question_set_names({"folder/a.jsonl"}), "a.jsonl");
  EXPECT_EQ(question_set_names({"folder/a.jsonl", "-", "b.json"}),
            "a.jsonl, standard input, b.json");
}

}  // namespace
}  // namespace litestage::test
