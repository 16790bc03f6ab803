// Cosine and norm ratio of sublayers against values computed here, directly and in double.
#include "offline/cosine_meter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "support/calibration.h"
#include "support/direct_changes.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

TEST(CompareRows, AgreesWithDoubles) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const std::size_t size : {1U, 7U, 8U, 64U, 255U, 257U, 896U, 1536U, 4099U}) {
    std::vector<float> in(size);
    std::vector<float> out(size);
    for (std::size_t i = 0; i < size; ++i) {
      in[i] =
          normal(random) * (i % 50 == 0 ? 300.0F : 1.0F);  // residual streams have such outliers
      out[i] = in[i] + 0.1F * normal(random);
    }
    const DirectChange expected = direct_change(in, out);
    const RowChange change = compare_rows(in, out);
    EXPECT_NEAR(static_cast<double>(change.cosine), expected.cosine, 1e-6) << size;
    EXPECT_NEAR(static_cast<double>(change.norm_ratio), expected.norm_ratio,
                1e-6 * expected.norm_ratio)
        << size;
  }
}

TEST(CompareRows, KnowsTheSimpleCases) {
  const std::vector<float> x = {3, 0, 4};
  const std::vector<float> twice = {6, 0, 8};
  const std::vector<float> opposite = {-3, 0, -4};
  const std::vector<float> across = {0, 2, 0};
  const std::vector<float> zero = {0, 0, 0};
  EXPECT_FLOAT_EQ(compare_rows(x, twice).cosine, 1);
  EXPECT_FLOAT_EQ(compare_rows(x, twice).norm_ratio, 2);
  EXPECT_FLOAT_EQ(compare_rows(x, opposite).cosine, -1);
  EXPECT_FLOAT_EQ(compare_rows(x, across).cosine, 0);
  EXPECT_FLOAT_EQ(compare_rows(x, across).norm_ratio, 0.4F);
  EXPECT_FLOAT_EQ(compare_rows(zero, zero).cosine, 1);
  EXPECT_FLOAT_EQ(compare_rows(zero, x).cosine, 0);
  EXPECT_FLOAT_EQ(compare_rows(zero, x).norm_ratio, 1);
  EXPECT_FLOAT_EQ(compare_rows(x, zero).norm_ratio, 0);
}

StageTrace trace_of(const std::string& stage, int question, std::vector<Token> context,
                    std::vector<Token> text) {
  return {stage, question, std::move(context), 1, std::move(text)};
}

TEST(MeasureCosines, ASublayerThatAddsNothingHasCosineAndNormRatioOne) {
  TinyModel model(TinyOptions{});
  model.silence_attention(1);
  model.silence_ffn(0);
  Calibration tiny(model);
  const auto cosines = measure_cosines(
      tiny.decoder, {trace_of("one", 0, random_tokens(40, tiny.tiny.vocabulary_size(), 3),
                              random_tokens(9, tiny.tiny.vocabulary_size(), 4))});
  ASSERT_TRUE(cosines);
  for (const auto* phase : {&cosines->front().prefill, &cosines->front().decode}) {
    for (std::size_t layer = 0; layer < 3; ++layer) {
      for (std::size_t sublayer = 0; sublayer < 2; ++sublayer) {
        const MeanChange& change = (*phase)[layer][sublayer];
        const bool silent = (layer == 1 && sublayer == 0) || (layer == 0 && sublayer == 1);
        EXPECT_EQ(std::abs(change.cosine - 1) < 1e-6, silent) << layer << sublayer;
        EXPECT_EQ(std::abs(change.norm_ratio - 1) < 1e-6, silent) << layer << sublayer;
      }
    }
  }
}

void expect_near(const std::vector<std::array<MeanChange, 2>>& found,
                 const std::vector<std::array<DirectChange, 2>>& expected,
                 const std::string& what) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t layer = 0; layer < found.size(); ++layer) {
    for (std::size_t sublayer = 0; sublayer < 2; ++sublayer) {
      EXPECT_NEAR(found[layer][sublayer].cosine, expected[layer][sublayer].cosine, 1e-5)
          << what << layer << sublayer;
      EXPECT_NEAR(found[layer][sublayer].norm_ratio, expected[layer][sublayer].norm_ratio, 1e-5)
          << what << layer << sublayer;
    }
  }
}

class CosineFamilies : public testing::TestWithParam<TinyCase> {};

// Longer than one chunk, so that chunks are joined rightly.
TEST_P(CosineFamilies, AgreesWithADirectComputation) {
  const LoadedTiny tiny{TinyModel(GetParam().options)};
  DecoderOptions options = small_decoder();
  options.kv_type = KvType::f32;  // else how tokens are split into calls shows in the fifth digit
  options.flash_attention = FlashAttention::off;
  Decoder decoder(tiny.model(), options);
  const std::vector<Token> context = random_tokens(150, tiny.vocabulary_size(), 6);
  const std::vector<Token> text = random_tokens(70, tiny.vocabulary_size(), 7);
  const auto cosines = measure_cosines(decoder, {trace_of("one", 0, context, text)});
  ASSERT_TRUE(cosines);
  EXPECT_EQ(cosines->front().prefill_tokens, 150);
  EXPECT_EQ(cosines->front().decode_tokens, 70);
  std::vector<Token> all = context;
  all.insert(all.end(), text.begin(), text.end());
  expect_near(cosines->front().prefill, direct_means(decoder, all, 0, 150), "context");
  expect_near(cosines->front().decode, direct_means(decoder, all, 150, 220), "text");
}

INSTANTIATE_TEST_SUITE_P(Families, CosineFamilies, testing::ValuesIn(plain_cases()),
                         [](const auto& info) { return info.param.name; });

std::vector<Token> concatenated(std::initializer_list<std::vector<Token>> parts) {
  std::vector<Token> all;
  for (const std::vector<Token>& part : parts)
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

// Two questions behind one preamble, two branches, a second stage: what is shared counts once a
// stage, in whatever order the traces come.
TEST(MeasureCosines, ATokenCountsOnceForEachDifferentContext) {
  Calibration tiny;
  const int vocabulary = tiny.tiny.vocabulary_size();
  const auto preamble = random_tokens(20, vocabulary, 10);
  const auto first = concatenated({preamble, random_tokens(7, vocabulary, 11)});
  const auto second = concatenated({preamble, random_tokens(5, vocabulary, 12)});
  const auto text = random_tokens(4, vocabulary, 13);
  const auto left = concatenated({first, text, random_tokens(3, vocabulary, 14)});
  const auto right = concatenated({first, text, random_tokens(2, vocabulary, 15)});
  std::vector<StageTrace> traces = {
      trace_of("recall", 0, first, text), trace_of("analyze", 0, left, {}),
      trace_of("analyze", 0, right, {}), trace_of("recall", 1, second, text)};
  const auto cosines = measure_cosines(tiny.decoder, traces);
  ASSERT_TRUE(cosines);
  ASSERT_EQ(cosines->size(), 2U);
  EXPECT_EQ((*cosines)[0].stage, "recall");
  EXPECT_EQ((*cosines)[0].prefill_tokens, 20 + 7 + 5);
  EXPECT_EQ((*cosines)[0].decode_tokens, 4 + 4);
  EXPECT_EQ((*cosines)[1].stage, "analyze");
  EXPECT_EQ((*cosines)[1].prefill_tokens, 20 + 7 + 4 + 3 + 2);
  EXPECT_EQ((*cosines)[1].decode_tokens, 0);

  // The mean over preamble and first question, and over what the second one adds.
  const auto of_first = direct_means(tiny.decoder, first, 0, 27);
  const auto of_second = direct_means(tiny.decoder, second, 20, 25);
  const double expected = (27 * of_first[1][1].cosine + 5 * of_second[1][1].cosine) / 32;
  EXPECT_NEAR((*cosines)[0].prefill[1][1].cosine, expected, 1e-5);

  std::reverse(traces.begin(), traces.end());
  const auto again = measure_cosines(tiny.decoder, traces);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)[0].prefill_tokens, 20 + 7 + 5);  // recall is the first trace's stage here too
  EXPECT_EQ((*again)[1].prefill_tokens, 20 + 7 + 4 + 3 + 2);
}

TEST(MeasureCosines, ComputesEveryTokenOnceAndStopsWhenToldTo) {
  Calibration tiny;
  const int vocabulary = tiny.tiny.vocabulary_size();
  const auto preamble = random_tokens(100, vocabulary, 10);
  const std::vector<StageTrace> traces = {
      trace_of("one", 0, concatenated({preamble, random_tokens(7, vocabulary, 11)}), {}),
      trace_of("one", 1, concatenated({preamble, random_tokens(6, vocabulary, 12)}), {})};
  std::int64_t last = 0;
  std::int64_t total = 0;
  ASSERT_TRUE(measure_cosines(tiny.decoder, traces, [&](std::int64_t done, std::int64_t all) {
    last = done;
    total = all;
    return true;
  }));
  EXPECT_EQ(last, 113);
  EXPECT_EQ(total, 113);
  EXPECT_FALSE(
      measure_cosines(tiny.decoder, traces, [](std::int64_t, std::int64_t) { return false; }));
}

}  // namespace
}  // namespace litestage::test
