#include "stage/side_by_side.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/calibration.h"
#include "support/pool_tools.h"

namespace litestage::test {
namespace {

class SideBySideTest : public testing::Test {
 protected:
  SideBySideTest() {
    for (int i = 0; i < 7; ++i) {
      questions_.push_back(calibration_questions()[static_cast<std::size_t>(i % 2)]);
      questions_.back().text += " " + std::to_string(i);
    }
    for (const Question& question : questions_)
      asked_.push_back(&question);
  }

  static std::string text_of(const QuestionRecord& record) {
    std::string text = record.answer;
    for (const StageRecord& stage : record.stages)
      text += "|" + stage.text;
    return text;
  }

  Calibration tiny_;
  std::vector<Question> questions_;
  std::vector<const Question*> asked_;
};

TEST_F(SideBySideTest, EveryQuestionGetsTheAnswerItGetsAlone) {
  Pipeline alone(tiny_.decoder, tiny_.program);
  std::map<std::size_t, std::string> expected;
  for (std::size_t i = 0; i < asked_.size(); ++i)
    expected[i] = text_of(alone.answer(*asked_[i]));
  for (const int at_once : {1, 3, 20}) {
    DecoderPool pool(tiny_.tiny.model(), exact_decoder(1024));
    std::map<std::size_t, std::string> answers;
    const std::thread::id caller = std::this_thread::get_id();
    answer_side_by_side(pool, at_once, tiny_.program, {}, asked_,
                        [&](std::size_t place, QuestionRecord&& answer) {
                          EXPECT_EQ(std::this_thread::get_id(), caller);
                          EXPECT_TRUE(answers.emplace(place, text_of(answer)).second);
                        });
    EXPECT_EQ(answers, expected) << at_once;
  }
}

TEST_F(SideBySideTest, NothingIsAskedOfNone) {
  DecoderPool pool(tiny_.tiny.model(), exact_decoder(1024));
  answer_side_by_side(pool, 3, tiny_.program, {}, {},
                      [](std::size_t, QuestionRecord&&) { FAIL(); });
}

TEST_F(SideBySideTest, WhatCannotBeAnsweredIsPassedOver) {
  Question endless = questions_[2];
  for (int i = 0; i < 2000; ++i)
    endless.text += " and so on";
  asked_[2] = &endless;
  DecoderPool pool(tiny_.tiny.model(), exact_decoder(1024));
  std::vector<std::size_t> answered;
  answer_side_by_side(pool, 3, tiny_.program, {}, asked_,
                      [&](std::size_t place, QuestionRecord&&) { answered.push_back(place); });
  std::ranges::sort(answered);
  EXPECT_EQ(answered, (std::vector<std::size_t>{0, 1, 3, 4, 5, 6}));
}

TEST_F(SideBySideTest, AnErrorOfWhoTakesTheAnswersEndsIt) {
  DecoderPool pool(tiny_.tiny.model(), exact_decoder(1024));
  int taken = 0;
  EXPECT_THROW(answer_side_by_side(pool, 2, tiny_.program, {}, asked_,
                                   [&](std::size_t, QuestionRecord&&) {
                                     ++taken;
                                     throw std::runtime_error("the disk is full");
                                   }),
               std::runtime_error);
  EXPECT_EQ(taken, 1);
}

TEST_F(SideBySideTest, AStopTellsNoHalfAnswers) {
  DecoderPool pool(tiny_.tiny.model(), exact_decoder(1024));
  std::atomic<bool> stop{false};
  int taken = 0;
  answer_side_by_side(
      pool, 2, tiny_.program, {}, asked_,
      [&](std::size_t, QuestionRecord&& answer) {
        EXPECT_FALSE(answer.interrupted);
        ++taken;
        stop = true;
      },
      &stop);
  EXPECT_GE(taken, 1);
  EXPECT_LE(taken, 3);
}

}  // namespace
}  // namespace litestage::test
