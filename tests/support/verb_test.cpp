#include "support/verb_test.h"

#include <nlohmann/json.hpp>

#include "support/calibration.h"
#include "support/run_program.h"
#include "support/tiny_model.h"

namespace litestage::test {

VerbTest::VerbTest() {
  TinyModel(TinyOptions{}).write(folder_ / "tiny.gguf");
  write_file(folder_ / "three.toml", std::string(calibration_program()));
}

void VerbTest::expect_refused(const std::vector<std::string>& words, const std::string& part) {
  const ProgramResult result = run_program(words);
  EXPECT_EQ(result.exit_code, 2) << result.output;
  EXPECT_EQ(result.output, "");
  EXPECT_NE(result.errors.find(part), std::string::npos) << result.errors;
}

void expect_last_words(const std::string& line, const std::string& errors) {
  const std::string text = read_file(errors);
  EXPECT_TRUE(text.ends_with(line)) << text;
  EXPECT_EQ(text.find("litestage: "), text.rfind("litestage: ")) << text;
}

std::string question_lines(const std::vector<Question>& questions) {
  std::string lines;
  for (const Question& question : questions) {
    nlohmann::json json = {{"question", question.text}, {"options", nlohmann::json::array()}};
    for (const Option& option : question.options)
      json["options"].push_back(option.text);
    if (!question.gold.empty()) json["answer"] = question.gold;
    lines += json.dump() + "\n";
  }
  return lines;
}

}  // namespace litestage::test
