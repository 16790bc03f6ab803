// Logits of some tokens alone: what the whole head gives them, without the whole head.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "litestage/decoder_pool.h"
#include "litestage/error.h"
#include "litestage/model.h"
#include "support/decoder_tools.h"
#include "support/libllama_oracle.h"
#include "support/pool_tools.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

const std::vector<Token> SOME = {299, 0, 7, 7, 120};  // in any order, one of them twice
constexpr int SOME_WIDTH = 5;

/// SOME's entries in rows of all logits.
std::vector<float> some_of(std::span<const float> rows, int vocabulary_size) {
  const auto n_vocab = static_cast<std::size_t>(vocabulary_size);
  std::vector<float> values;
  for (std::size_t row = 0; row < rows.size() / n_vocab; ++row) {
    for (const Token token : SOME)
      values.push_back(rows[row * n_vocab + static_cast<std::size_t>(token)]);
  }
  return values;
}

/// How far SOME's logits of five positions lie from the whole head's, which reads weights as they
/// lie in the file or as this CPU likes them.
double distance_to_whole(const std::filesystem::path& file, bool repack) {
  ModelOptions how;
  how.repack = repack;
  const std::shared_ptr<const Model> model = Model::load(file, how);
  Decoder decoder(model, small_decoder());
  const std::vector<BatchToken> batch = batch_of(random_tokens(5, model->vocabulary_size(), 1));
  const std::vector<float> expected =
      some_of(decoder.forward(batch).logits, model->vocabulary_size());
  decoder.clear();
  const ForwardResult result = decoder.forward(batch, {}, {}, HeadUse::full, SOME);
  EXPECT_EQ(result.rows, 5);
  return nmse(result.logits, expected);
}

// The same numbers are multiplied: nothing but the order of sums differs.
TEST(SomeLogits, AreTheWholeHeadsForEveryFeature) {
  for (const TinyCase& tested : feature_cases()) {
    const LoadedTiny tiny(tested.options);
    EXPECT_LT(distance_to_whole(tiny.file(), false), 1e-9) << tested.name;
  }
}

// Layouts for this CPU round sums, and a number now and then, otherwise (weight_layout_test).
TEST(SomeLogits, AreTheWholeHeadsForEveryWeightType) {
  for (const TinyCase& tested : weight_type_cases()) {
    const LoadedTiny tiny(tested.options);
    EXPECT_LT(distance_to_whole(tiny.file(), false), 1e-9) << tested.name;
    EXPECT_LT(distance_to_whole(tiny.file(), true), 1e-4) << tested.name;
  }
}

TEST(SomeLogits, NeedNoHeadInTheGraph) {
  const LoadedTiny tiny(TinyOptions{});
  Decoder decoder(tiny.model(), small_decoder());
  const std::vector<BatchToken> batch = batch_of(random_tokens(5, tiny.vocabulary_size(), 1));
  decoder.forward(batch);
  const int whole = decoder.graph_statistics().nodes;
  decoder.clear();
  decoder.forward(batch, {}, {}, HeadUse::full, SOME);
  EXPECT_EQ(decoder.graph_statistics().nodes, whole - 1) << "the product with the head";
}

TEST(SomeLogits, OfSomePositionsOfSeveralSequencesInSmallGraphsBesideTaps) {
  const LoadedTiny tiny(TinyOptions{});
  DecoderOptions options = exact_decoder(256);
  options.ubatch = 7;
  const std::vector<Token> tokens = random_tokens(20, tiny.vocabulary_size(), 2);
  std::vector<BatchToken> batch;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    batch.push_back({tokens[i], static_cast<SequenceId>(i % 2), i % 3 == 0});
  const std::vector<Tap> taps = {{TapPoint::final_norm, 0}};
  Decoder lone(tiny.model(), options);
  const ForwardResult whole = lone.forward(batch, {}, taps);
  const std::vector<float> expected = some_of(whole.logits, tiny.vocabulary_size());
  Decoder decoder(tiny.model(), options);
  const ForwardResult result = decoder.forward(batch, {}, taps, HeadUse::full, SOME);
  EXPECT_EQ(result.rows, 7);
  EXPECT_LT(nmse(result.logits, expected), 1e-9);
  EXPECT_LT(nmse(result.row(6, SOME_WIDTH), std::span(expected).last(SOME.size())), 1e-9);
  EXPECT_LT(nmse(result.taps[0], whole.taps[0]), 1e-9);
}

TEST(SomeLogits, OfTheLastTokenBehindKeptText) {
  const LoadedTiny tiny(TinyOptions{});
  Decoder decoder(tiny.model(), exact_decoder(64));
  const std::vector<Token> tokens = random_tokens(9, tiny.vocabulary_size(), 3);
  decoder.forward(0, tokens);
  const std::vector<KeptText> kept = {{.from = 0, .first = 2, .at = 2, .count = 5}};
  const std::vector<float> expected =
      some_of(decoder.forward(1, tokens, kept).logits, tiny.vocabulary_size());
  const ForwardResult result = decoder.forward(2, tokens, kept, {}, HeadUse::full, SOME);
  EXPECT_EQ(result.taken_over, 5);
  EXPECT_LT(nmse(result.logits, expected), 1e-9);
}

TEST(SomeLogits, OfTokensThatAreNoneAreRefused) {
  const LoadedTiny tiny(TinyOptions{});
  Decoder decoder(tiny.model(), small_decoder());
  DecoderPool pool(tiny.model(), small_decoder());
  Decoder client = pool.client();
  for (const Token bad : {-1, tiny.vocabulary_size()}) {
    const std::vector<Token> only = {3, bad};
    for (Decoder* each : {&decoder, &client}) {
      EXPECT_THROW(each->forward(0, SOME, {}, HeadUse::full, only), UserError) << bad;
      EXPECT_TRUE(each->sequences().empty());
    }
  }
}

// Some want all logits, some those of their own tokens, and all are one batch.
TEST(SomeLogits, InAPoolEachClientGetsWhatItWants) {
  const LoadedTiny tiny(TinyOptions{});
  DecoderPool pool(tiny.model(), exact_decoder(256));
  on_threads(4, [&](int i) {
    Decoder client = pool.client();
    client.set_interrupt([&] {
      while (pool.statistics().calls < 4)
        std::this_thread::yield();
      return false;
    });
    std::vector<BatchToken> batch;
    for (const SequenceId sequence : {0, 1}) {
      const std::vector<Token> tokens =
          random_tokens(3, tiny.vocabulary_size(), static_cast<std::uint32_t>(2 * i + sequence));
      for (const BatchToken& token : batch_of(tokens, sequence))
        batch.push_back(token);
    }
    batch[0].want_logits = false;
    Decoder lone(tiny.model(), exact_decoder(64));
    const ForwardResult expected = lone.forward(batch);
    ASSERT_EQ(expected.rows, 5);
    if (i % 2 == 0) {
      EXPECT_LT(nmse(client.forward(batch).logits, expected.logits), 1e-9);
      return;
    }
    const ForwardResult result = client.forward(batch, {}, {}, HeadUse::full, SOME);
    EXPECT_EQ(result.rows, 5);
    EXPECT_LT(nmse(result.logits, some_of(expected.logits, tiny.vocabulary_size())), 1e-9);
  });
  EXPECT_EQ(pool.statistics().batches, 1);
}

}  // namespace
}  // namespace litestage::test
