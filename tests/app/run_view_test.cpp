#include "app/run_view.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>

namespace litestage::app {
namespace {

std::string written(const std::function<void(std::FILE*)>& write) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  write(file.get());
  std::rewind(file.get());
  std::string text;
  for (int c = std::fgetc(file.get()); c != EOF; c = std::fgetc(file.get()))
    text += static_cast<char>(c);
  return text;
}

std::string printed(const RunSummary& summary) {
  return written([&](std::FILE* file) { summary.print(file); });
}

QuestionRecord record_of(const std::string& answer) {
  QuestionRecord record;
  record.question.text = "Which is heavier?";
  record.question.options = {{"A", "a brick"}, {"B", "a feather"}};
  record.question.gold = "A";
  record.answer = answer;
  return record;
}

TEST(RunView, TellsHowMuchAChoiceLeadsBy) {
  StageRecord choice;
  choice.name = "early-answer";
  choice.stop_reason = StopReason::sure;
  choice.margin = 0.625;
  StageRecord text;
  text.name = "recall";
  const std::string shown = written([&](std::FILE* file) {
    RunView view(file);
    view.on_stage_end({choice});
    view.on_stage_end({text});
  });
  EXPECT_EQ(shown, " [sure, leads by 0.62]\n [end_of_text]\n");
}

TEST(RunSummary, AStageThatComesTwiceIsOneOfItsQuestion) {
  QuestionRecord record = record_of("A");
  for (const char* name : {"early-answer", "recall", "early-answer"}) {
    record.stages.emplace_back();
    record.stages.back().name = name;
    record.stages.back().prompt_tokens = 40;
  }
  RunSummary summary;
  summary.add(record, "three");
  const std::string text = printed(summary);
  // Two texts and 80 tokens a question.
  EXPECT_NE(text.find("early-answer    2.0     80.0"), std::string::npos) << text;
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
