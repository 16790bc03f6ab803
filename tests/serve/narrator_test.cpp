// Stages told as one text.
#include "serve/narrator.h"

#include <gtest/gtest.h>

#include <string>

namespace litestage::serve {
namespace {

TEST(TrimmedText, GivesOutNoBlanksAtTheEnds) {
  TrimmedText text;
  std::string shown;
  for (const char* piece : {"  ", "\n a", " ", " b ", "", "c", " \n"})
    shown += text.add(piece);
  EXPECT_EQ(shown, "a  b c");
}

TEST(TrimmedText, OfNothingIsNothing) {
  TrimmedText text;
  EXPECT_EQ(text.add(""), "");
  EXPECT_EQ(text.add(" \n"), "");
}

StageRecord record(const std::string& name, const std::string& option, const std::string& text) {
  StageRecord record;
  record.name = name;
  record.option = option;
  record.text = text;
  return record;
}

TEST(Narrator, TellsBranchesOneAfterTheOtherAndTheAnswerApart) {
  Program program;
  program.answer_stage = "answer";
  std::string reasoning;
  std::string content;
  Narrator narrator(program, [&](Narrator::Part part, std::string_view text) {
    (part == Narrator::Part::reasoning ? reasoning : content) += text;
  });
  narrator.on_stage_begin("recall", {});
  narrator.on_text("recall", 0, " Iron is ");
  narrator.on_text("recall", 0, "heavy. ");
  narrator.on_stage_end({record("recall", "", "Iron is heavy.")});
  narrator.on_stage_begin("analyze", {"A", "B"});
  narrator.on_text("analyze", 0, " yes");
  narrator.on_text("analyze", 1, " n");
  narrator.on_text("analyze", 1, "o");
  narrator.on_stage_end({record("analyze", "A", "yes"), record("analyze", "B", "no")});
  narrator.on_stage_begin("answer", {});
  narrator.on_text("answer", 0, " A\n");
  narrator.on_stage_end({record("answer", "", "A")});
  EXPECT_EQ(reasoning, "recall: Iron is heavy.\nanalyze (A): yes\nanalyze (B): no\n");
  EXPECT_EQ(content, "A");
}

TEST(Narrator, AnEarlyAnswerThatIsTakenIsTheContent) {
  Program program;
  program.answer_stage = "answer";
  for (const bool taken : {false, true}) {
    std::string reasoning;
    std::string content;
    Narrator narrator(program, [&](Narrator::Part part, std::string_view text) {
      (part == Narrator::Part::reasoning ? reasoning : content) += text;
    });
    narrator.on_stage_begin("early-answer", {});
    narrator.on_text("early-answer", 0, "B");
    StageRecord early = record("early-answer", "", "B");
    early.stop_reason = taken ? StopReason::sure : StopReason::choice;
    narrator.on_stage_end({early});
    EXPECT_EQ(reasoning, "early-answer: B\n");
    EXPECT_EQ(content, taken ? "B" : "");
  }
}

}  // namespace
}  // namespace litestage::serve
