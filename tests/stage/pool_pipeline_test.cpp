// Pipelines on the clients of one pool write what each writes on a decoder alone.

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "litestage/decoder_pool.h"
#include "litestage/pipeline.h"
#include "litestage/program.h"
#include "support/calibration.h"
#include "support/decoder_tools.h"
#include "support/pool_tools.h"

namespace litestage::test {
namespace {

/// A question of its own for each thread.
Question question_of(int number) {
  return {.id = std::to_string(number),
          .text = "Which is number " + std::to_string(number) + "?",
          .options = letter_options({"a brick", "a feather", "a leaf"}),
          .gold = "A",
          .program = ""};
}

PipelineOptions options_of(int number) {
  PipelineOptions options;
  if (number % 2 == 1) options.settings.decode = SublayerMask::parse("f1", 3);
  return options;
}

std::vector<std::string> texts_of(const QuestionRecord& record) {
  std::vector<std::string> texts;
  for (const StageRecord& stage : record.stages)
    texts.push_back(stage.text);
  return texts;
}

class PoolPipelineTest : public testing::Test {
 protected:
  LoadedTiny tiny_{TinyOptions{.context = 4096}};
};

TEST_F(PoolPipelineTest, PipelinesWriteWhatTheyWriteAlone) {
  constexpr int THREADS = 8;
  const Program program = parse_program(std::string(calibration_program()), "program.toml");
  std::vector<std::vector<std::string>> expected;
  for (int i = 0; i < THREADS; ++i) {
    Decoder decoder(tiny_.model(), exact_decoder(1024));
    expected.push_back(texts_of(Pipeline(decoder, program, options_of(i)).answer(question_of(i))));
  }
  DecoderPool pool(tiny_.model(), exact_decoder(1024 * 4));
  on_threads(THREADS, [&](int i) {
    Decoder client = pool.client();
    Pipeline pipeline(client, program, options_of(i));
    const auto index = static_cast<std::size_t>(i);
    EXPECT_EQ(texts_of(pipeline.answer(question_of(i))), expected[index]) << i;
    EXPECT_EQ(texts_of(pipeline.answer(question_of(i))), expected[index]) << i << " again";
  });
  EXPECT_EQ(pool.client().free_cells(), 1024 * 4);
}

TEST_F(PoolPipelineTest, APreambleIsReadOnceForAllPipelines) {
  const Program program = parse_program(std::string(calibration_program()), "program.toml");
  DecoderPool pool(tiny_.model(), exact_decoder(1024));
  Decoder one = pool.client();
  Decoder other = pool.client();
  Pipeline first(one, program);
  first.answer(question_of(1));
  const int preamble = 1024 - one.free_cells();
  ASSERT_GT(preamble, 0);
  Pipeline second(other, program);
  const QuestionRecord record = second.answer(question_of(2));
  EXPECT_GE(record.stages[0].reused_tokens, preamble);
  EXPECT_EQ(1024 - one.free_cells(), preamble) << "no second copy";
  EXPECT_TRUE(other.sequences().empty());
}

TEST_F(PoolPipelineTest, OnePipelineIsStoppedAndTheOtherGoesOn) {
  const Program program = parse_program(std::string(calibration_program()), "program.toml");
  Decoder lone(tiny_.model(), exact_decoder(1024));
  const std::vector<std::string> expected =
      texts_of(Pipeline(lone, program).answer(question_of(1)));
  DecoderPool pool(tiny_.model(), exact_decoder(1024));
  on_threads(2, [&](int i) {
    Decoder client = pool.client();
    Pipeline pipeline(client, program);
    const std::atomic<bool> stop = i == 0;
    const QuestionRecord record = pipeline.answer(question_of(1), nullptr, &stop);
    EXPECT_EQ(record.interrupted, i == 0);
    if (i == 1) {
      EXPECT_EQ(texts_of(record), expected);
    }
  });
}

}  // namespace
}  // namespace litestage::test
