// Leaving a sublayer out is the same as a file in which that sublayer adds nothing: libllama
// decides.

#include <gtest/gtest.h>

#include <cmath>

#include "litestage/error.h"
#include "support/decoder_tools.h"
#include "support/libllama_oracle.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

constexpr double MASK_BOUND = 1e-6;

SublayerMask mask_of(const std::string& text, int layers) {
  return SublayerMask::parse(text, layers);
}

TinyModel silenced(const TinyOptions& options, const SublayerMask& mask) {
  TinyModel model(options);
  for (int layer = 0; layer < options.layers; ++layer) {
    if (mask.skips(Sublayer::attention, layer)) model.silence_attention(layer);
    if (mask.skips(Sublayer::ffn, layer)) model.silence_ffn(layer);
  }
  return model;
}

std::vector<std::string> masks_for(int layers) {
  const std::string last = std::to_string(layers - 1);
  return {"a0",
          "f0",
          "a1",
          "f1",
          "a" + last,
          "f" + last,
          "a0-" + last,
          "f0-" + last,
          "a0,f1",
          "a1,f1",
          "a" + last + ",f" + last,
          "a0-1,f0",
          "a1,f0-" + last,
          "a0-" + last + ",f0-" + last};
}

class MaskOracle : public testing::TestWithParam<TinyCase> {};

TEST_P(MaskOracle, EqualsAFileWithTheSublayerSilenced) {
  const TinyOptions& options = GetParam().options;
  const LoadedTiny tiny(options);
  Decoder decoder(tiny.model(), small_decoder());
  const auto tokens = random_tokens(20, options.vocab, 21);
  for (const std::string& text : masks_for(options.layers)) {
    const SublayerMask mask = mask_of(text, options.layers);
    const TemporaryFolder folder;
    silenced(options, mask).write(folder / "silenced.gguf");
    EitherOracle oracle(folder / "silenced.gguf");
    decoder.clear();
    EXPECT_LE(oracle.distance(all_logits(decoder, tokens, mask), tokens), MASK_BOUND)
        << text << ", prefill";
    decoder.clear();
    oracle.clear();
    EXPECT_LE(oracle.stepwise_distance(stepwise_logits(decoder, tokens, mask), tokens), MASK_BOUND)
        << text << ", by token";
  }
}

std::vector<TinyCase> mask_cases() {
  auto cases = plain_cases();
  for (const TinyCase& tiny : feature_cases()) {
    for (const char* name :
         {"llama_all_biases", "granite_all_biases", "gemma3_softcap", "olmo2_window_yarn",
          "phi3_rope_longrope_long", "llama_fused_qkv_bias"}) {
      if (tiny.name == name) cases.push_back(tiny);
    }
  }
  return cases;
}

const auto CASE_NAME = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Families, MaskOracle, testing::ValuesIn(mask_cases()), CASE_NAME);

// The same for layers far apart in a deeper model, in quantised weights.
TEST(Mask, ManySublayersOfADeepModel) {
  const TinyOptions options{
      .family = "qwen2", .layers = 12, .weight_type = GGML_TYPE_Q8_0, .qkv_bias = true};
  const LoadedTiny tiny(options);
  Decoder decoder(tiny.model(), small_decoder());
  const auto tokens = random_tokens(24, options.vocab, 22);
  for (const char* text : {"a3,f10-11", "a0-5,f6-11", "a2,a4,a6,f1,f3,f5,f7", "a1-10,f1-10"}) {
    const SublayerMask mask = mask_of(text, options.layers);
    const TemporaryFolder folder;
    silenced(options, mask).write(folder / "silenced.gguf");
    decoder.clear();
    EXPECT_LE(
        EitherOracle(folder / "silenced.gguf").distance(all_logits(decoder, tokens, mask), tokens),
        1e-4)
        << text;
  }
}

class MaskGraph : public testing::TestWithParam<TinyCase> {
 protected:
  int nodes(const std::string& text) {
    decoder_.clear();
    decoder_.forward(0, tokens_, mask_of(text, GetParam().options.layers));
    return decoder_.graph_statistics().nodes;
  }

 private:
  LoadedTiny tiny_{GetParam().options};
  Decoder decoder_{tiny_.model(), small_decoder()};
  std::vector<Token> tokens_ = random_tokens(6, tiny_.vocabulary_size(), 23);
};

TEST_P(MaskGraph, AMaskedSublayerAddsNoNode) {
  const int full = nodes("none");
  const int attention = full - nodes("a1");
  const int ffn = full - nodes("f1");
  EXPECT_GE(attention,
            8);       // three projections, attention, output projection, residual, two KV writes
  EXPECT_GE(ffn, 4);  // gate and up, activation, down, residual
  EXPECT_EQ(full - nodes("a1,f1"), attention + ffn);
  EXPECT_EQ(full - nodes("a1,f0"), full - nodes("a1") + full - nodes("f0"));

  // All left out: embedding, final norm, head, and at most the few nodes that scale, cap or pick
  // rows.
  const std::string last = std::to_string(GetParam().options.layers - 1);
  EXPECT_LE(nodes("a0-" + last + ",f0-" + last), 8);
}

TEST_P(MaskGraph, AScaleAddsOneNode) {
  EXPECT_EQ(nodes("f1*1.5"), nodes("f1") + 1);
}

INSTANTIATE_TEST_SUITE_P(Families, MaskGraph, testing::ValuesIn(plain_cases()), CASE_NAME);

// Calls of one shape that differ in the mask alone: a graph kept for reuse must not be taken for
// another.
TEST(Mask, ChangingOnlyTheMaskChangesTheResult) {
  const LoadedTiny tiny({.family = "llama"});
  Decoder decoder(tiny.model(), small_decoder());
  const auto tokens = random_tokens(5, tiny.vocabulary_size(), 24);
  std::vector<std::vector<float>> first_round;
  for (int round = 0; round < 2; ++round) {
    std::size_t at = 0;
    for (const char* text : {"none", "a1", "f1", "none", "f1*1.5", "f1*2", "a0", "a2"}) {
      decoder.clear();
      auto logits = all_logits(decoder, tokens, mask_of(text, 3));
      Decoder fresh(tiny.model(), small_decoder());
      EXPECT_LE(nmse(logits, all_logits(fresh, tokens, mask_of(text, 3))), 1e-12) << text;
      if (round == 0) {
        first_round.push_back(std::move(logits));
      } else {
        EXPECT_LE(nmse(logits, first_round[at]), 1e-12) << text;
      }
      ++at;
    }
  }
  for (const std::size_t other : {1U, 2U, 4U, 5U, 6U, 7U}) {
    EXPECT_GT(nmse(first_round[other], first_round[0]), 1e-3) << other;
  }
  EXPECT_GT(nmse(first_round[4], first_round[5]), 1e-4) << "scales 1.5 and 2";
}

std::vector<float> copy(std::span<const float> values) {
  return {values.begin(), values.end()};
}

std::vector<float> scaled(std::span<const float> values, float factor) {
  std::vector<float> result = copy(values);
  for (float& value : result)
    value *= factor;
  return result;
}

// The scale of a skipped sublayer multiplies the residual stream.
TEST(Mask, ScaleMultipliesTheHiddenState) {
  for (const TinyCase& tiny_case : plain_cases()) {
    const LoadedTiny tiny(tiny_case.options);
    Decoder decoder(tiny.model(), small_decoder());
    const auto tokens = random_tokens(7, tiny.vocabulary_size(), 25);
    const std::vector<Tap> taps = {{TapPoint::layer_in, 1},
                                   {TapPoint::attn_out, 1},
                                   {TapPoint::ffn_out, 1},
                                   {TapPoint::layer_in, 2}};
    const auto result = decoder.forward(batch_of(tokens), mask_of("a1*1.25,f1*0.5", 3), taps);
    EXPECT_LE(nmse(result.taps.at(1), scaled(result.taps[0], 1.25F)), 1e-12) << tiny_case.name;
    EXPECT_LE(nmse(result.taps.at(2), scaled(result.taps[1], 0.5F)), 1e-12) << tiny_case.name;
    EXPECT_LE(nmse(result.taps.at(3), result.taps[2]), 1e-12) << tiny_case.name;
  }
}

// With the oracle: the first attention left out with a scale of 2 is a file with doubled
// embeddings.
TEST(Mask, ScaleEqualsScaledEmbeddings) {
  const TinyOptions options{.family = "llama"};
  TinyModel doubled(options);
  doubled.silence_attention(0);
  doubled.multiply("token_embd.weight", 2.0F);
  const TemporaryFolder folder;
  doubled.write(folder / "doubled.gguf");
  const LoadedTiny tiny(options);
  Decoder decoder(tiny.model(), small_decoder());
  const auto tokens = random_tokens(15, tiny.vocabulary_size(), 26);
  EXPECT_LE(EitherOracle(folder / "doubled.gguf")
                .distance(all_logits(decoder, tokens, mask_of("a0*2", 3)), tokens),
            MASK_BOUND);
}

class MaskTaps : public testing::TestWithParam<TinyCase> {};

TEST_P(MaskTaps, AreTheResidualStream) {
  const TinyOptions& options = GetParam().options;
  const LoadedTiny tiny(options);
  Decoder decoder(tiny.model(), small_decoder());
  const auto tokens = random_tokens(7, options.vocab, 27);
  const std::size_t size = tokens.size() * static_cast<std::size_t>(options.embd);
  std::vector<Tap> taps;
  for (int layer = 0; layer < options.layers; ++layer) {
    for (const TapPoint point : {TapPoint::layer_in, TapPoint::attn_out, TapPoint::ffn_out}) {
      taps.push_back({point, layer});
    }
  }
  for (const char* text : {"none", "a1", "f0", "a0,f1"}) {
    const SublayerMask mask = mask_of(text, options.layers);
    decoder.clear();
    const auto without = all_logits(decoder, tokens, mask);
    decoder.clear();
    const auto result = decoder.forward(batch_of(tokens), mask, taps);
    EXPECT_LE(nmse(result.logits, without), 1e-12)
        << text << ": asking for taps changed the logits";
    ASSERT_EQ(result.taps.size(), taps.size());
    for (std::size_t layer = 0; layer < static_cast<std::size_t>(options.layers); ++layer) {
      const auto in = result.taps[3 * layer];
      const auto attention = result.taps[3 * layer + 1];
      const auto ffn = result.taps[3 * layer + 2];
      ASSERT_EQ(in.size(), size);
      ASSERT_EQ(attention.size(), size);
      ASSERT_EQ(ffn.size(), size);
      const auto number = static_cast<int>(layer);
      EXPECT_EQ(copy(in) == copy(attention), mask.skips(Sublayer::attention, number))
          << text << layer;
      EXPECT_EQ(copy(attention) == copy(ffn), mask.skips(Sublayer::ffn, number)) << text << layer;
      if (layer > 0) {
        EXPECT_EQ(copy(in), copy(result.taps[3 * layer - 1])) << text << layer;
      }
    }
  }
}

// Taps cover all tokens of a batch that needs several graphs, and of tokens without logits.
TEST_P(MaskTaps, OfASplitBatch) {
  const LoadedTiny tiny(GetParam().options);
  DecoderOptions split = small_decoder();
  split.ubatch = 4;
  Decoder whole(tiny.model(), small_decoder());
  Decoder parts(tiny.model(), split);
  auto batch = batch_of(random_tokens(11, tiny.vocabulary_size(), 28));
  for (std::size_t i = 0; i + 1 < batch.size(); ++i)
    batch[i].want_logits = i % 5 == 0;
  const int last = GetParam().options.layers - 1;
  const std::vector<Tap> taps = {
      {TapPoint::ffn_out, last}, {TapPoint::final_norm, 0}, {TapPoint::attn_out, last}};
  const auto a = whole.forward(batch, {}, taps);
  const auto b = parts.forward(batch, {}, taps);
  EXPECT_LE(nmse(b.logits, a.logits), MASK_BOUND);
  for (std::size_t i = 0; i < taps.size(); ++i) {
    EXPECT_EQ(a.taps[i].size(), batch.size() * static_cast<std::size_t>(GetParam().options.embd));
    EXPECT_LE(nmse(b.taps[i], a.taps[i]), MASK_BOUND);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, MaskTaps, testing::ValuesIn(plain_cases()), CASE_NAME);

// What the head reads, multiplied here by the head's weights, gives the logits.
TEST(Taps, FinalNormIsWhatTheHeadReads) {
  const TinyOptions options{.family = "llama"};
  TinyModel file(options);
  const LoadedTiny tiny(file);
  Decoder decoder(tiny.model(), small_decoder());
  const auto tokens = random_tokens(3, options.vocab, 29);
  const std::vector<Tap> taps = {{TapPoint::final_norm, 0}};
  const auto result = decoder.forward(batch_of(tokens), {}, taps);
  const std::vector<float> head = file.floats("output.weight");
  const auto width = static_cast<std::size_t>(options.embd);
  std::vector<float> expected;
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    for (std::size_t word = 0; word < static_cast<std::size_t>(options.vocab); ++word) {
      double sum = 0.0;
      for (std::size_t i = 0; i < width; ++i) {
        sum += static_cast<double>(head[word * width + i]) *
               static_cast<double>(result.taps[0][row * width + i]);
      }
      expected.push_back(static_cast<float>(sum));
    }
  }
  EXPECT_LE(nmse(result.logits, expected), 1e-9);
}

TEST(Taps, NamesAreRead) {
  EXPECT_EQ(parse_tap("layer_in-3", 4), (Tap{TapPoint::layer_in, 3}));
  EXPECT_EQ(parse_tap("attn_out-0", 4), (Tap{TapPoint::attn_out, 0}));
  EXPECT_EQ(parse_tap("ffn_out-11", 12), (Tap{TapPoint::ffn_out, 11}));
  EXPECT_EQ(parse_tap("final_norm", 4).point, TapPoint::final_norm);
  for (const char* bad : {"", "layer_in", "layer_in-", "layer_in-4", "layer_in--1", "layer_in-1x",
                          "ffn-1", "layer_in-99999999999999999999"}) {
    EXPECT_THROW(parse_tap(bad, 4), UserError) << bad;
  }
}

// The bytes a mask saves are the bytes of its sublayers.
TEST(Mask, BytesPerToken) {
  for (const TinyCase& tiny_case : plain_cases()) {
    const LoadedTiny tiny(tiny_case.options);
    const Model& model = *tiny.model();
    const std::size_t full = model.bytes_per_token();
    const auto row_bytes = static_cast<std::size_t>(model.embedding_size()) * sizeof(float);
    // A tied embedding is read twice: one row of it, and all of it as the head.
    EXPECT_LE(full, model.weight_bytes() + (tiny_case.options.tied ? row_bytes : 0));
    std::size_t sublayers = 0;
    for (int layer = 0; layer < model.layer_count(); ++layer) {
      for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
        const std::size_t bytes = model.sublayer_bytes(sublayer, layer);
        SublayerMask mask;
        mask.skip(sublayer, layer);
        EXPECT_EQ(full - model.bytes_per_token(mask), bytes);
        EXPECT_GT(bytes, 0U);
        sublayers += bytes;
      }
    }
    EXPECT_LT(sublayers, full) << tiny_case.name;
  }
}

TEST(Mask, OfLayersTheModelLacksIsRefused) {
  const LoadedTiny tiny({.family = "llama"});
  Decoder decoder(tiny.model(), small_decoder());
  SublayerMask mask;
  mask.skip(Sublayer::ffn, 3);
  const std::vector<Token> tokens = {5};
  EXPECT_THROW(decoder.forward(0, tokens, mask), UserError);
  EXPECT_EQ(decoder.length(0), 0);
}

}  // namespace
}  // namespace litestage::test
