// Learning a preview: planted hidden states give back their directions, what is cheapest is taken,
// and the check counts what it should.
#include "offline/head_learning.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "offline/head_matrix.h"
#include "support/decoder_tools.h"

namespace litestage::test {
namespace {

constexpr int LEARNING_VOCABULARY = 4096;
constexpr int WIDTH = 64;

TinyOptions wide_vocabulary() {
  TinyOptions options;
  options.family = "qwen2";
  options.embd = WIDTH;
  options.vocab = LEARNING_VOCABULARY;
  return options;
}

/// States that lie in a few directions but for a little noise.
HiddenStates planted(int count, int directions, float noise, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> basis(static_cast<std::size_t>(directions * WIDTH));
  for (float& value : basis)
    value = normal(random);
  HiddenStates states;
  states.width = WIDTH;
  for (int i = 0; i < count; ++i) {
    std::vector<float> state(WIDTH);
    for (int d = 0; d < directions; ++d) {
      const float amount = normal(random);
      for (int j = 0; j < WIDTH; ++j)
        state[static_cast<std::size_t>(j)] +=
            amount * basis[static_cast<std::size_t>(d * WIDTH + j)];
    }
    for (float& value : state)
      value += noise * normal(random);
    states.values.insert(states.values.end(), state.begin(), state.end());
  }
  return states;
}

TEST(HeadGram, IsWTransposedW) {
  LoadedTiny tiny(wide_vocabulary());
  const RowMatrix head = head_block(*tiny.model(), 0, LEARNING_VOCABULARY);
  const Eigen::MatrixXd direct = head.cast<double>().transpose() * head.cast<double>();
  EXPECT_LT((head_gram(*tiny.model(), 2) - direct).norm(), 1e-5 * direct.norm());
}

TEST(LearnHead, StatesInFewDirectionsNeedFew) {
  LoadedTiny tiny(wide_vocabulary());
  HeadLearningOptions options;
  options.ranks = {32};
  options.proposals = 4;
  const auto head = learn_head(*tiny.model(), planted(800, 20, 0.0F, 5), options);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->info.rank, 32);
  EXPECT_TRUE(head->info.rotated);
  EXPECT_EQ(head->info.learned_tokens, 800);
  EXPECT_EQ(head->projection.size(), 32U * WIDTH);
}

TEST(LearnHead, TheRotationKeepsLogitsOfStatesInItsDirections) {
  LoadedTiny tiny(wide_vocabulary());
  HeadLearningOptions options;
  options.ranks = {32};
  const HiddenStates states = planted(400, 10, 0.0F, 5);
  const auto head = learn_head(*tiny.model(), states, options);
  ASSERT_TRUE(head);
  const Eigen::Map<const RowMatrix> projection(head->projection.data(), 32, WIDTH);
  const RowMatrix matrix = dequantise_rows(head->matrix, LEARNING_VOCABULARY, 32);
  const RowMatrix full = head_block(*tiny.model(), 0, LEARNING_VOCABULARY);
  const Eigen::Map<const Eigen::VectorXf> state(states.row(17).data(), WIDTH);
  const Eigen::VectorXf exact = full * state;
  const Eigen::VectorXf previewed = matrix * (projection * state);
  EXPECT_LT((exact - previewed).norm(), 0.15 * exact.norm());  // what four bits leave
}

TEST(LearnHead, RefusesTooFewTokens) {
  LoadedTiny tiny(wide_vocabulary());
  EXPECT_THROW(learn_head(*tiny.model(), planted(100, 4, 0.1F, 1), {}), UserError);
}

TEST(LearnHead, StopsWhenAsked) {
  LoadedTiny tiny(wide_vocabulary());
  EXPECT_FALSE(learn_head(*tiny.model(), planted(400, 4, 0.1F, 1), {},
                          [](const HeadLearningProgress& progress) { return progress.done < 2; }));
}

TEST(TimeHead, TakesTextsThatAreLongEnough) {
  LoadedTiny tiny(wide_vocabulary());
  Decoder decoder(tiny.model(), small_decoder());
  const std::vector<Token> brief(20, 3);
  const std::vector<Token> lengthy(80, 3);
  EXPECT_EQ(time_head(decoder, {brief}, 4).texts, 0);
  const HeadTiming timing = time_head(decoder, {brief, lengthy, lengthy, lengthy}, 2);
  EXPECT_EQ(timing.texts, 2);
  EXPECT_GT(timing.full_ms, 0);
  EXPECT_GT(timing.preview_ms, 0);
  EXPECT_GT(timing.speedup.high, timing.speedup.low);
}

TEST(NoPreviewHelps, SaysWhyAndOfOthersNothing) {
  EXPECT_EQ(no_preview_helps(*LoadedTiny(wide_vocabulary()).model()), "");
  TinyOptions narrow = wide_vocabulary();
  narrow.vocab = HeadLearningOptions{}.proposals;
  EXPECT_NE(no_preview_helps(*LoadedTiny(narrow).model()).find("vocabulary"), std::string::npos);
  TinyOptions odd = wide_vocabulary();
  odd.embd = 48;
  EXPECT_NE(no_preview_helps(*LoadedTiny(odd).model()).find("width"), std::string::npos);
}

HeadCheck checked(long tokens, long missed) {
  HeadCheck check;
  check.tokens = tokens;
  check.missed = missed;
  return check;
}

HeadTiming timed(int texts, double low, double value, double high) {
  HeadTiming timing;
  timing.texts = texts;
  timing.speedup = {value, low, high};
  return timing;
}

TEST(NotWorthHaving, IsWhatMissesTooMuchOrIsNotSurelyFaster) {
  const HeadTiming faster = timed(12, 1.15, 1.18, 1.21);
  EXPECT_EQ(not_worth_having(checked(50'000, 5), faster), "");
  EXPECT_EQ(not_worth_having(checked(10'000, 1), faster), "");
  EXPECT_NE(not_worth_having(checked(50'000, 6), faster).find("6 of 50000"), std::string::npos);
  EXPECT_NE(not_worth_having(checked(9'999, 0), faster).find("too few"), std::string::npos);
  const HeadCheck fine = checked(50'000, 0);
  EXPECT_NE(not_worth_having(fine, {}).find("long enough"), std::string::npos);
  EXPECT_NE(not_worth_having(fine, timed(12, 1, 1.05, 1.1)).find("1.050x"), std::string::npos);
  EXPECT_NE(not_worth_having(fine, timed(1, 0, 1.3, INFINITY)), "") << "one text tells nothing";
}

TEST(CheckHead, BoundIsClopperAndPearsons) {
  HeadCheck check;
  EXPECT_EQ(check.missed_bound(), 1);
  check.tokens = 50000;
  EXPECT_NEAR(check.missed_bound(), 1 - std::pow(0.05, 1.0 / 50000), 1e-9);
  check.missed = 1;
  EXPECT_NEAR(check.missed_bound(), 9.49e-5, 1e-6);  // 4.744 / 50000
}

}  // namespace
}  // namespace litestage::test
