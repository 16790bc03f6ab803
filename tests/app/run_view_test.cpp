#include "app/run_view.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>

namespace litestage::app {
namespace {

std::string printed(const RunSummary& summary) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  summary.print(file.get());
  std::rewind(file.get());
  std::string text;
  for (int c = std::fgetc(file.get()); c != EOF; c = std::fgetc(file.get()))
    text += static_cast<char>(c);
  return text;
}

QuestionRecord record_of(const std::string& answer) {
  QuestionRecord record;
  record.question.text = "Which is heavier?";
  record.question.options = {{"A", "a brick"}, {"B", "a feather"}};
  record.question.gold = "A";
  record.answer = answer;
  return record;
}

TEST(RunSummary, AllWrongIsNotCertainlyNothing) {
  RunSummary summary;
  for (int i = 0; i < 3; ++i)
    summary.add(record_of("B"), "direct");
  // Wilson: z^2 / (3 + z^2).
  EXPECT_NE(printed(summary).find("0 of 3 = 0.0 % (95 % interval 0.0 to 56.1)"), std::string::npos)
      << printed(summary);
}

TEST(RunSummary, AllRightIsNotCertainlyAll) {
  RunSummary summary;
  for (int i = 0; i < 10; ++i)
    summary.add(record_of("A"), "direct");
  EXPECT_NE(printed(summary).find("10 of 10 = 100.0 % (95 % interval 72.2 to 100.0)"),
            std::string::npos)
      << printed(summary);
}

}  // namespace
}  // namespace litestage::app
