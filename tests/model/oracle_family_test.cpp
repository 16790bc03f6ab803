// Our graph gives libllama's logits, for every family and every feature its files may have.

#include <gtest/gtest.h>

#include "model/panel_product.h"
#include "model/weight_widening.h"
#include "support/decoder_tools.h"
#include "support/libllama_oracle.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

constexpr double F32_BOUND = 1e-6;
constexpr double QUANTISED_BOUND = 1e-4;
constexpr int ORACLE_CONTEXT = 512;

double bound_for(ggml_type type) {
  return type == GGML_TYPE_F32 ? F32_BOUND : QUANTISED_BOUND;
}

DecoderOptions decoder_options() {
  DecoderOptions options = small_decoder();
  options.context = ORACLE_CONTEXT;  // as the oracle's: longrope chooses its factors by it
  return options;
}

/// Whether weights laid out for this CPU give libllama's products, in the same order of sums. What
/// other layouts may change is another test's affair (weight_layout_test.cpp).
bool lays_out_as_libllama(ggml_type type) {
  return type == GGML_TYPE_F32 || (!wider_type(type) && !cpu_prefers_panels());
}

class OracleFamily : public testing::TestWithParam<TinyCase> {};

TEST_P(OracleFamily, PrefillAndTokenByToken) {
  const TinyOptions& options = GetParam().options;
  const LoadedTiny tiny(options);
  ModelOptions how;
  how.repack = lays_out_as_libllama(options.weight_type);
  const auto model = Model::load(tiny.file(), how);
  EitherOracle oracle(tiny.file(), {.context = ORACLE_CONTEXT, .repack = how.repack});
  const double bound = bound_for(options.weight_type);
  // Many tokens, few and one: a decoder may compute attention differently for each.
  for (const int count : {80, 30}) {
    const auto tokens = random_tokens(count, options.vocab, 11);
    Decoder decoder(model, decoder_options());
    oracle.clear();
    EXPECT_LE(oracle.distance(all_logits(decoder, tokens), tokens), bound)
        << "prefill of " << count;
  }
  const auto tokens = random_tokens(30, options.vocab, 11);
  Decoder decoder(model, decoder_options());
  oracle.clear();
  EXPECT_LE(oracle.stepwise_distance(stepwise_logits(decoder, tokens), tokens), bound)
      << "token by token";
  EXPECT_EQ(model->architecture(), options.family);
}

const auto FAMILY_CASE_NAME = [](const auto& info) { return info.param.name; };

INSTANTIATE_TEST_SUITE_P(Features, OracleFamily, testing::ValuesIn(feature_cases()),
                         FAMILY_CASE_NAME);
INSTANTIATE_TEST_SUITE_P(WeightTypes, OracleFamily, testing::ValuesIn(weight_type_cases()),
                         FAMILY_CASE_NAME);

class OracleModes : public testing::TestWithParam<TinyCase> {
 protected:
  // Heads of 32 values, because quantised KV comes in blocks of 32.
  static TinyOptions options() {
    TinyOptions options = GetParam().options;
    options.embd = 128;
    return options;
  }
};

TEST_P(OracleModes, AutomaticFlashAttentionIsOneOfTheTwoKinds) {
  const LoadedTiny tiny(options());
  EitherOracle oracle(tiny.file(), {.context = ORACLE_CONTEXT});
  DecoderOptions automatic = decoder_options();
  automatic.flash_attention = FlashAttention::automatic;
  for (const int count : {80, 30}) {  // above and below a tile of the kernel
    Decoder decoder(tiny.model(), automatic);
    const auto tokens = random_tokens(count, tiny.vocabulary_size(), 11);
    oracle.clear();
    EXPECT_LE(oracle.distance(all_logits(decoder, tokens), tokens), F32_BOUND) << count;
  }
}

TEST_P(OracleModes, WithoutFlashAttention) {
  const LoadedTiny tiny(options());
  LibllamaOracle oracle(tiny.file(), {.context = ORACLE_CONTEXT, .flash_attention = false});
  DecoderOptions plain = decoder_options();
  plain.flash_attention = FlashAttention::off;
  Decoder decoder(tiny.model(), plain);
  const auto tokens = random_tokens(40, tiny.vocabulary_size(), 12);
  const auto expected = oracle.decode(tokens);
  EXPECT_LE(nmse(all_logits(decoder, tokens), expected), F32_BOUND);
  decoder.clear();
  oracle.clear();
  EXPECT_LE(nmse(stepwise_logits(decoder, tokens), oracle.decode_stepwise(tokens)), F32_BOUND);
}

TEST_P(OracleModes, KvTypes) {
  const LoadedTiny tiny(options());
  const auto tokens = random_tokens(40, tiny.vocabulary_size(), 13);
  for (const auto& [ours, theirs] :
       {std::pair{KvType::f32, GGML_TYPE_F32}, {KvType::q8_0, GGML_TYPE_Q8_0}}) {
    // With flash attention libllama would round an F32 cache to F16.
    const bool flash = ours != KvType::f32;
    LibllamaOracle oracle(tiny.file(),
                          {.context = ORACLE_CONTEXT, .flash_attention = flash, .kv_type = theirs});
    DecoderOptions typed = decoder_options();
    typed.kv_type = ours;
    Decoder decoder(tiny.model(), typed);
    const auto expected = oracle.decode(tokens);
    const double bound = ours == KvType::f32 ? F32_BOUND : QUANTISED_BOUND;
    EXPECT_LE(nmse(all_logits(decoder, tokens), expected), bound) << ggml_type_name(theirs);
    decoder.clear();
    oracle.clear();
    EXPECT_LE(nmse(stepwise_logits(decoder, tokens), oracle.decode_stepwise(tokens)), bound)
        << ggml_type_name(theirs);
  }
}

// A batch of 50 tokens in graphs of 7.
TEST_P(OracleModes, SmallUbatch) {
  const LoadedTiny tiny(options());
  EitherOracle oracle(tiny.file(), {.context = ORACLE_CONTEXT});
  DecoderOptions split = decoder_options();
  split.ubatch = 7;
  Decoder decoder(tiny.model(), split);
  const auto tokens = random_tokens(50, tiny.vocabulary_size(), 14);
  EXPECT_LE(oracle.distance(all_logits(decoder, tokens), tokens), F32_BOUND);
}

// Three sequences of different lengths, their tokens interleaved; logits of some tokens only.
TEST_P(OracleModes, SeveralSequencesInOneBatch) {
  const LoadedTiny tiny(options());
  for (const int ubatch : {512, 5}) {
    EitherOracle oracle(tiny.file(), {.context = ORACLE_CONTEXT});
    DecoderOptions batched = decoder_options();
    batched.ubatch = ubatch;
    Decoder decoder(tiny.model(), batched);
    const auto tokens = random_tokens(60, tiny.vocabulary_size(), 15);
    for (std::size_t begin = 0; begin < tokens.size(); begin += 20) {
      std::vector<BatchToken> ours;
      std::vector<LibllamaOracle::Item> theirs;
      for (std::size_t i = begin; i < begin + 20; ++i) {
        const int sequence = i % 4 == 0 ? 2 : static_cast<int>(i % 2);
        const bool wanted = i % 3 == 0 || i + 1 == begin + 20;
        ours.push_back({tokens[i], sequence, wanted});
        theirs.push_back({tokens[i], sequence, wanted});
      }
      const auto result = decoder.forward(ours);
      EXPECT_LE(oracle.distance(result.logits, theirs), F32_BOUND) << "tokens from " << begin;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, OracleModes, testing::ValuesIn(plain_cases()), FAMILY_CASE_NAME);

// Threads share the work of one operation; with one thread that would never be seen.
TEST(Oracle, TwoThreads) {
  const LoadedTiny tiny({.family = "llama", .embd = 256, .ffn = 512});
  EitherOracle oracle(tiny.file(), {.context = ORACLE_CONTEXT, .threads = 2});
  DecoderOptions options = decoder_options();
  options.threads = 2;
  Decoder decoder(tiny.model(), options);
  const auto tokens = random_tokens(40, tiny.vocabulary_size(), 18);
  EXPECT_LE(oracle.distance(all_logits(decoder, tokens), tokens), F32_BOUND);
}

// The last token alone is what the short form of forward gives.
TEST(Oracle, ShortFormGivesTheLastRow) {
  const LoadedTiny tiny({.family = "llama"});
  LibllamaOracle oracle(tiny.file(), {.context = ORACLE_CONTEXT, .flash_attention = false});
  DecoderOptions options = decoder_options();
  options.flash_attention = FlashAttention::off;
  Decoder decoder(tiny.model(), options);
  const auto tokens = random_tokens(9, tiny.vocabulary_size(), 16);
  const auto result = decoder.forward(0, tokens);
  EXPECT_EQ(result.rows, 1);
  EXPECT_LE(nmse(result.row(0, tiny.vocabulary_size()), oracle.decode(tokens, 0, false)),
            F32_BOUND);
  EXPECT_EQ(decoder.length(0), 9);
}

// A long text crosses the padding of KV views and the reuse of graphs many times.
TEST(Oracle, ThreeHundredTokensOneByOne) {
  const LoadedTiny tiny({.family = "qwen3"});
  LibllamaOracle oracle(tiny.file(), {.context = ORACLE_CONTEXT, .flash_attention = false});
  DecoderOptions options = decoder_options();
  options.flash_attention =
      FlashAttention::off;  // as the oracle's: a change of kernel on the way would be noise
  Decoder decoder(tiny.model(), options);
  const auto tokens = random_tokens(300, tiny.vocabulary_size(), 17);
  EXPECT_LE(nmse(stepwise_logits(decoder, tokens), oracle.decode_stepwise(tokens)), F32_BOUND);
  const auto statistics = decoder.graph_statistics();
  EXPECT_EQ(statistics.built + statistics.reused, 300);
  EXPECT_LE(statistics.built, 30) << "a decode loop should rebuild rarely";
}

}  // namespace
}  // namespace litestage::test
