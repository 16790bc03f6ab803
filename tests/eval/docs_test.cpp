#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/text_file.h"
#include "litestage/dataset.h"
#include "litestage/program.h"
#include "support/paths.h"

namespace litestage {
namespace {

/// The code blocks of one language in a page of the documentation.
std::vector<std::string> code_blocks(const std::string& page, const std::string& language) {
  const std::string text = read_text_file((test::source_dir() / "docs" / page).string());
  const std::string fence = "```" + language + "\n";
  std::vector<std::string> blocks;
  for (std::size_t at = text.find(fence); at != std::string::npos; at = text.find(fence, at)) {
    at += fence.size();
    const std::size_t end = text.find("```", at);
    blocks.push_back(text.substr(at, end - at));
    at = end;
  }
  return blocks;
}

TEST(Documentation, ProgramsAreRead) {
  const std::vector<std::string> blocks = code_blocks("programs.md", "toml");
  ASSERT_EQ(blocks.size(), 2U);
  const Program program = parse_program(blocks[0], "programs.md");
  EXPECT_EQ(program.stages.size(), 3U);
  EXPECT_EQ(program.answer_stage, "choice");

  const auto folder =
      std::filesystem::path(testing::TempDir()) / ("litestage_docs_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "examples.json") << code_blocks("programs.md", "json").at(0);
  const std::string toml = blocks[1] + "[[stage]]\nname = \"s\"\nprompt = \"{{question}}\"\n";
  EXPECT_TRUE(parse_program(toml, "programs.md", folder)
                  .preamble.ends_with("(B) It enlarges nothing, so this does not fit.\n"
                                      "Summarize: So the answer is option A.\n\n"));
  std::filesystem::remove_all(folder);
}

TEST(Documentation, QuestionsAreRead) {
  const std::vector<std::string> blocks = code_blocks("questions.md", "json");
  ASSERT_EQ(blocks.size(), 1U);
  const std::vector<Question> questions = parse_questions(blocks[0], "questions.md");
  ASSERT_EQ(questions.size(), 3U);
  EXPECT_EQ(questions[1].gold, "24");
}

}  // namespace
}  // namespace litestage
