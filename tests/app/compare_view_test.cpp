#include "app/compare_view.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/text_file.h"
#include "base/utf8.h"
#include "support/pseudo_terminal.h"
#include "support/temporary.h"

namespace litestage::app {
namespace {

using ShownLines = std::vector<std::string>;

StageRecord stage_of(const std::string& name, const std::string& option, const std::string& text) {
  StageRecord stage;
  stage.name = name;
  stage.option = option;
  stage.text = text;
  stage.tokens = 12;
  stage.prefill_ms = 30.25;
  stage.decode_ms = 600;
  return stage;
}

QuestionRecord heavier_record(const std::string& answer, const std::vector<StageRecord>& stages) {
  QuestionRecord record;
  record.question.text = "Which is heavier?";
  record.question.options = {{"A", "a brick"}, {"B", "a feather"}};
  record.question.gold = "A";
  record.answer = answer;
  record.stages = stages;
  record.total_ms = 2500;
  return record;
}

ShownLines beside(const QuestionRecord& full, const QuestionRecord& plan) {
  return records_beside(full, plan, 79, Style(false));
}

TEST(RecordsBeside, StagesOfOneNameStandAtOneHeight) {
  StageRecord shorter = stage_of("recall", "", "Bricks are heavy.");
  shorter.stop_reason = StopReason::budget;
  shorter.tokens = 4;
  StageRecord choice = stage_of("answer", "", "A");
  choice.stop_reason = StopReason::choice;
  choice.margin = 0.5;
  const QuestionRecord full = heavier_record(
      "A", {stage_of("recall", "", "Bricks are heavy, and\nfeathers are not.\n"), choice});
  const QuestionRecord plan = heavier_record("B", {shorter, choice});
  EXPECT_EQ(
      beside(full, plan),
      (ShownLines{"full                                   │ plan",
                  "recall                                 │ recall",
                  "Bricks are heavy, and                  │ Bricks are heavy.",
                  "feathers are not.                      │ [budget, 4 tokens, 630 ms]",
                  "[end_of_text, 12 tokens, 630 ms]       │",
                  "answer                                 │ answer",
                  "A                                      │ A",
                  "[choice, leads by 0.50, 12 tokens, 630 │ [choice, leads by 0.50, 12 tokens, 630",
                  "ms]                                    │ ms]",
                  "result                                 │ result",
                  "A  ✓ right  2.50 s                     │ B  ✗ the right one is A  2.50 s"}));
}

TEST(RecordsBeside, WhatOneOfThemDidNotRunIsNamed) {
  const StageRecord recall = stage_of("recall", "", "");
  const StageRecord sure = stage_of("early-answer", "", "");
  const StageRecord answer = stage_of("answer", "", "");
  const QuestionRecord full = heavier_record(
      "A", {recall, stage_of("analyze", "A", ""), stage_of("analyze", "B", ""), answer});
  const QuestionRecord plan =
      heavier_record("A", {sure, recall, sure, stage_of("analyze", "B", ""), answer});
  ShownLines titles;
  ShownLines missing;
  for (const std::string& line : beside(full, plan)) {
    if (line.starts_with("[") || line.starts_with("A ")) {
      if (line.starts_with("[not run]")) missing.push_back(titles.back() + " left");
      if (line.find("│ [not run]") != std::string::npos)
        missing.push_back(titles.back() + " right");
    } else {
      titles.push_back(line.substr(0, line.find("  ")));
    }
  }
  EXPECT_EQ(titles, (ShownLines{"full", "early-answer", "recall", "early-answer", "analyze A",
                                "analyze B", "answer", "result"}));
  EXPECT_EQ(missing, (ShownLines{"early-answer left", "early-answer left", "analyze A right"}));
}

TEST(RecordsBeside, EachVoteStandsBesideItselfWhereOneEndedEarly) {
  StageRecord sure = stage_of("early-answer", "", "A");
  sure.stop_reason = StopReason::sure;
  const StageRecord answer = stage_of("answer", "", "B");
  const QuestionRecord full = heavier_record("B", {stage_of("recall", "", "full, vote 1"), answer,
                                                   stage_of("recall", "", "full, vote 2"), answer});
  const QuestionRecord plan = heavier_record("A", {stage_of("recall", "", "plan, vote 1"), sure,
                                                   stage_of("recall", "", "plan, vote 2"), answer});
  const std::string between = " │ ";
  std::vector<std::pair<std::string, std::string>> sides;
  for (const std::string& line : beside(full, plan)) {
    if (line.starts_with("result ")) break;
    if (line.find(" tokens, ") != std::string::npos) continue;
    const std::size_t left = line.find(between);
    ASSERT_NE(left, std::string::npos) << line;
    sides.emplace_back(trimmed(line.substr(0, left)), line.substr(left + between.size()));
  }
  EXPECT_EQ(sides,
            (std::vector<std::pair<std::string, std::string>>{{"full", "plan"},
                                                              {"recall", "recall"},
                                                              {"full, vote 1", "plan, vote 1"},
                                                              {"early-answer", "early-answer"},
                                                              {"[not run]", "A"},
                                                              {"answer", "answer"},
                                                              {"B", "[not run]"},
                                                              {"recall", "recall"},
                                                              {"full, vote 2", "plan, vote 2"},
                                                              {"answer", "answer"},
                                                              {"B", "B"}}));
}

TEST(RecordsBeside, NothingIsWiderThanAskedFor) {
  const StageRecord hostile =
      stage_of("recall", "", "\x1b[2J\u6F22\u5B57\u6F22\u5B57 \xFF" + std::string(300, 'x'));
  const QuestionRecord record = heavier_record("A", {hostile});
  for (const std::size_t width : {30U, 99U, 200U}) {
    for (const std::string& line : records_beside(record, record, width, Style(false))) {
      EXPECT_LE(display_width(line), width) << line;
      EXPECT_EQ(line.find('\x1b'), std::string::npos);
    }
  }
}

TEST(RecordsBeside, AnInterruptedAnswerSaysSo) {
  QuestionRecord stopped;
  stopped.interrupted = true;
  const ShownLines lines = beside(heavier_record("A", {stage_of("recall", "", "Text.")}), stopped);
  EXPECT_NE(lines[2].find("│ [not run]"), std::string::npos) << lines[2];
  EXPECT_NE(lines.back().find("│ none found  (interrupted)"), std::string::npos) << lines.back();
}

TEST(ComparedTable, HasSumsOfStagesAndRatios) {
  const QuestionRecord full = heavier_record(
      "A", {stage_of("recall", "", ""), stage_of("recall", "", ""), stage_of("answer", "", "")});
  QuestionRecord plan = heavier_record("B", {stage_of("answer", "", "")});
  plan.stages[0].decode_ms = 0;
  plan.total_ms = 1000;
  EXPECT_EQ(compared_table(full, plan, Style(false)),
            "                  full      plan  full/plan\n"
            "  reading ms        91        30       3.00\n"
            "  writing ms      1800         0          -\n"
            "      tokens        36        12       3.00\n"
            "    total ms      2500      1000       2.50\n"
            "      answer     right     wrong\n");
}

TEST(ComparedTable, SaysNothingOfRightWhereNobodyKnows) {
  QuestionRecord record = heavier_record("A", {});
  record.question.gold.clear();
  EXPECT_EQ(compared_table(record, record, Style(false)).find("answer"), std::string::npos);
}

TEST(CompareView, ShowsWhatIsWrittenOnOneLineAndThenBoth) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  const StageRecord stage = stage_of("recall", "", "Bricks are heavy.");
  {
    CompareView view(file.get());
    view.begin_arm("full");
    view.on_stage_begin("recall", {"A", "B"});
    view.on_text("recall", 0, "Bricks are\n");
    view.on_text("recall", 1, "of the second branch");
    view.on_text("recall", 0, "heavy " + std::string(100, '.'));
    view.show(heavier_record("A", {stage}), heavier_record("A", {stage}));
    view.begin_arm("full");
  }
  std::rewind(file.get());
  std::string text;
  for (int c = std::fgetc(file.get()); c != EOF; c = std::fgetc(file.get()))
    text += static_cast<char>(c);
  EXPECT_TRUE(
      text.starts_with("\rfull \033[K\rfull · recall A \033[K"
                       "\rfull · recall A Bricks are \033[K"))
      << text;
  EXPECT_EQ(text.find("second branch"), std::string::npos);
  const std::size_t wiped = text.find("\r\033[K");
  ASSERT_NE(wiped, std::string::npos);
  EXPECT_EQ(text.substr(0, wiped).find('\n'), std::string::npos) << "one line until both are done";
  const std::size_t last = text.rfind('\r', wiped - 1);
  EXPECT_EQ(display_width(text.substr(last + 1, wiped - last - 4)), 79U) << "the text's end";
  EXPECT_EQ(text.find("full  "), wiped + 4) << "the columns begin on the line that was wiped";
  EXPECT_TRUE(text.ends_with("\n\rfull \033[K\r\033[K")) << "nothing of the line stays";
}

TEST(CompareView, TwoColumnsNeedATerminalWithRoomForThem) {
  const test::ScopedVariable term("TERM", "xterm");
  const test::PseudoTerminal wide(100);
  if (wide.file() == nullptr) GTEST_SKIP() << "there are no pseudo terminals here";
  EXPECT_TRUE(fits_two_columns(wide.file()));
  EXPECT_FALSE(fits_two_columns(test::PseudoTerminal(99).file()));
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> no_terminal(std::tmpfile(), &std::fclose);
  EXPECT_FALSE(fits_two_columns(no_terminal.get()));
  const test::ScopedVariable dumb("TERM", "dumb");
  EXPECT_FALSE(fits_two_columns(wide.file())) << "it cannot go back on its line";
}

}  // namespace
}  // namespace litestage::app
