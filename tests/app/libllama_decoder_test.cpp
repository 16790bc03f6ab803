// libllama as a decoder: the same stages, computed by llama_decode.
#include "app/libllama_decoder.h"

#include <gtest/gtest.h>

#include <atomic>

#include "litestage/error.h"
#include "litestage/pipeline.h"
#include "support/calibration.h"

namespace litestage::app {
namespace {

using test::Calibration;

class LibllamaDecoderTest : public testing::Test {
 protected:
  static DecoderOptions options() {
    DecoderOptions options = test::small_decoder();
    options.context = 1024;
    options.kv_type = KvType::f32;
    options.flash_attention = FlashAttention::off;
    return options;
  }

  Calibration ours_;
  LibllamaModel libllama_{ours_.tiny.file(), ModelOptions{}};
  Decoder theirs_ = make_libllama_decoder(libllama_, ours_.tiny.model(), options());
};

TEST_F(LibllamaDecoderTest, StagesWriteTheSameTexts) {
  Decoder decoder(ours_.tiny.model(), options());
  Pipeline by_us(decoder, ours_.program);
  Pipeline by_them(theirs_, ours_.program);
  for (const Question& question : test::calibration_questions()) {
    const QuestionRecord expected = by_us.answer(question);
    const QuestionRecord record = by_them.answer(question);
    EXPECT_EQ(record.answer, expected.answer);
    ASSERT_EQ(record.stages.size(), expected.stages.size());
    for (std::size_t i = 0; i < record.stages.size(); ++i) {
      EXPECT_EQ(record.stages[i].text, expected.stages[i].text);
      EXPECT_EQ(record.stages[i].reused_tokens, expected.stages[i].reused_tokens) << i;
    }
  }
}

TEST_F(LibllamaDecoderTest, CellsAreSharedByForksAndCountedOnce) {
  const std::vector<Token> tokens = {1, 2, 3, 4, 5};
  theirs_.forward(0, tokens);
  EXPECT_EQ(theirs_.free_cells(), 1024 - 5);
  theirs_.fork(0, 1, 3);
  EXPECT_EQ(theirs_.free_cells(), 1024 - 5);
  EXPECT_EQ(theirs_.length(1), 3);
  const HeldPrefix held = theirs_.held_prefix(tokens, {});
  EXPECT_EQ(held.sequence, 0);
  EXPECT_EQ(held.length, 5);
  theirs_.remove(0);
  EXPECT_EQ(theirs_.free_cells(), 1024 - 3);
  EXPECT_EQ(theirs_.sequences(), std::vector<SequenceId>{1});
  theirs_.truncate(1, 1);
  EXPECT_EQ(theirs_.free_cells(), 1024 - 1);
  theirs_.clear();
  EXPECT_EQ(theirs_.free_cells(), 1024);
}

TEST_F(LibllamaDecoderTest, LogitsOfSomeTokensAreThoseAmongAll) {
  const std::vector<Token> some = {299, 7};
  const std::vector<BatchToken> batch = test::batch_of(std::vector<Token>{4, 5, 6});
  const ForwardResult all = theirs_.forward(batch);
  std::vector<float> expected;
  for (int row = 0; row < 3; ++row) {
    for (const Token token : some) {
      expected.push_back(
          all.row(row, ours_.tiny.vocabulary_size())[static_cast<std::size_t>(token)]);
    }
  }
  theirs_.clear();
  const ForwardResult result = theirs_.forward(batch, {}, {}, HeadUse::full, some);
  EXPECT_EQ(result.rows, 3);
  EXPECT_EQ(std::vector<float>(result.logits.begin(), result.logits.end()), expected);
}

TEST_F(LibllamaDecoderTest, WhatHasNoRoomIsRefusedAndWhatIsInterruptedIsForgotten) {
  theirs_.forward(0, std::vector<Token>(1000, 1));
  EXPECT_THROW(theirs_.forward(1, std::vector<Token>(30, 1)), UserError);
  EXPECT_EQ(theirs_.length(1), 0);
  theirs_.set_interrupt([] { return true; });
  EXPECT_TRUE(theirs_.forward(0, std::vector<Token>(10, 1)).interrupted);
  theirs_.set_interrupt(nullptr);
  EXPECT_EQ(theirs_.length(0), 1000);
}

}  // namespace
}  // namespace litestage::app
