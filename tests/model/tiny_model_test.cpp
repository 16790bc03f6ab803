// The tests' own tools: libllama takes every tiny model, and its logits are fit to compare with.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "support/libllama_oracle.h"
#include "support/temporary.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

constexpr int TINY_TOKENS = 12;

std::vector<float> oracle_logits(const TinyModel& model, std::span<const std::int32_t> tokens) {
  const TemporaryFolder folder;
  model.write(folder / "tiny.gguf");
  LibllamaOracle oracle(folder / "tiny.gguf");
  return oracle.decode(tokens);
}

class TinyModelCase : public testing::TestWithParam<TinyCase> {};

TEST_P(TinyModelCase, LogitsAreLively) {
  const TinyOptions& options = GetParam().options;
  const auto tokens = random_tokens(TINY_TOKENS, options.vocab, 7);
  const auto logits = oracle_logits(TinyModel(options), tokens);
  ASSERT_EQ(logits.size(), static_cast<std::size_t>(TINY_TOKENS * options.vocab));
  std::set<std::ptrdiff_t> best_tokens;
  for (int row = 0; row < TINY_TOKENS; ++row) {
    const std::span<const float> values(
        logits.data() + static_cast<std::ptrdiff_t>(row) * options.vocab,
        static_cast<std::size_t>(options.vocab));
    double sum = 0.0;
    double squares = 0.0;
    for (const float value : values) {
      ASSERT_TRUE(std::isfinite(value));
      sum += value;
      squares += static_cast<double>(value) * value;
    }
    const double mean = sum / options.vocab;
    const double deviation = std::sqrt(squares / options.vocab - mean * mean);
    EXPECT_GT(deviation, 0.3) << "row " << row;
    EXPECT_LT(deviation, 50.0) << "row " << row;
    best_tokens.insert(std::max_element(values.begin(), values.end()) - values.begin());
  }
  EXPECT_GT(best_tokens.size(), 3U);
}

std::vector<TinyCase> all_cases() {
  auto cases = feature_cases();
  const auto typed = weight_type_cases();
  cases.insert(cases.end(), typed.begin(), typed.end());
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, TinyModelCase, testing::ValuesIn(all_cases()),
                         [](const auto& info) { return info.param.name; });

// A feature that changes nothing would test nothing: each must move the logits of the plain model,
// apart from the few that only lay the same weights out in another way or that libllama ignores.
TEST(TinyModel, EveryFeatureMatters) {
  const auto plains = plain_cases();
  for (const TinyCase& tiny : feature_cases()) {
    const auto plain = std::find_if(plains.begin(), plains.end(), [&](const TinyCase& other) {
      return other.options.family == tiny.options.family;
    });
    const TinyOptions& a = tiny.options;
    const TinyOptions& b = plain->options;
    if (TinyModel(a).bytes() == TinyModel(b).bytes()) continue;  // what is plain for this family
    const auto tokens = random_tokens(24, a.vocab, 7);
    const double distance =
        nmse(oracle_logits(TinyModel(a), tokens), oracle_logits(TinyModel(b), tokens));
    const bool same = tiny.name.ends_with("bpe_vocabulary") || tiny.name == "phi3_window_key";
    if (same) {
      EXPECT_LT(distance, 1e-9) << tiny.name;
    } else {
      EXPECT_GT(distance, 1e-3) << tiny.name;
    }
  }
}

TEST(TinyModel, SameOptionsGiveTheSameBytes) {
  EXPECT_EQ(TinyModel({}).bytes(), TinyModel({}).bytes());
  EXPECT_NE(TinyModel({.seed = 1}).bytes(), TinyModel({.seed = 2}).bytes());
}

TEST(TinyModel, SilencedSublayersAddNothing) {
  for (const TinyCase& tiny : plain_cases()) {
    TinyModel model(tiny.options);
    for (int layer = 0; layer < tiny.options.layers; ++layer) {
      model.silence_attention(layer);
      model.silence_ffn(layer);
    }
    // With nothing but embedding, norm and head left, a token's logits do not depend on the others.
    const std::vector<std::int32_t> one = {9};
    const std::vector<std::int32_t> two = {200, 9};
    const auto logits = oracle_logits(model, two);
    const std::span<const float> last(logits.data() + tiny.options.vocab,
                                      static_cast<std::size_t>(tiny.options.vocab));
    EXPECT_LT(nmse(last, oracle_logits(model, one)), 1e-12) << tiny.name;
  }
}

TEST(TinyModel, RefusesWhatAFamilyLacks) {
  EXPECT_THROW(TinyModel({.family = "olmo2", .tied = true}), std::invalid_argument);
  EXPECT_THROW(TinyModel({.family = "mamba"}), std::invalid_argument);
}

}  // namespace
}  // namespace litestage::test
