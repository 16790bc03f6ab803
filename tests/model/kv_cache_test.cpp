// The KV cache step by step: what is refused, computed again, tolerated, shared and let go.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "support/decoder_tools.h"
#include "support/libllama_oracle.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

constexpr int CACHE_LAYERS = 3;
const std::vector<Token> PREFIX = {10, 20, 30, 40, 50};
const std::vector<Token> REST = {60, 70, 80};

SublayerMask mask_of(const std::string& text) {
  return SublayerMask::parse(text, CACHE_LAYERS);
}

TEST(Kv, RefusalNamesTheLayerAndLeavesTheCacheAlone) {
  const LoadedTiny tiny({.layers = CACHE_LAYERS});
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  decoder.forward(0, PREFIX, mask_of("a1"));
  const int free = decoder.free_cells();
  try {
    decoder.forward(0, REST);
    FAIL() << "KV is missing";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find('1'), std::string::npos) << error.what();
  }
  EXPECT_EQ(decoder.length(0), 5);
  EXPECT_EQ(decoder.free_cells(), free);
  EXPECT_NO_THROW(decoder.forward(0, REST, mask_of("a1,f0")));
}

// Of a batch in which one sequence is refused, the others are not appended either.
TEST(Kv, RefusalIsForTheWholeBatch) {
  const LoadedTiny tiny({.layers = CACHE_LAYERS});
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  decoder.forward(0, PREFIX, mask_of("a1"));
  const std::vector<BatchToken> batch = {{7, 1, true}, {7, 0, true}};
  EXPECT_THROW(decoder.forward(batch), UserError);
  EXPECT_EQ(decoder.length(1), 0);
  EXPECT_EQ(decoder.length(0), 5);
}

TEST(Kv, BackfillStartsAtTheFirstLackingToken) {
  const LoadedTiny tiny({.layers = CACHE_LAYERS});
  Decoder decoder(tiny.model(), few_cells(MissingKv::backfill));
  decoder.forward(0, PREFIX);
  decoder.forward(0, REST, mask_of("a1"));
  decoder.forward(0, REST);  // the lacking three are computed again
  EXPECT_EQ(decoder.length(0), 11);
  std::vector<Token> all = PREFIX;
  all.insert(all.end(), REST.begin(), REST.end());
  all.insert(all.end(), REST.begin(), REST.end());
  EXPECT_EQ(decoder.held_prefix(all, mask_of("none")).length, 11);

  Decoder again(tiny.model(), few_cells(MissingKv::backfill));
  again.forward(0, PREFIX);
  again.forward(0, REST, mask_of("a1"));
  EXPECT_EQ(again.forward(0, REST).backfilled, 3);
  Decoder fresh(tiny.model(), few_cells(MissingKv::refuse));
  const auto expected = fresh.forward(0, all);
  const auto actual = again.forward(0, std::vector<Token>{9});
  const auto next = fresh.forward(0, std::vector<Token>{9});
  EXPECT_LE(nmse(actual.logits, next.logits), 1e-9);
  EXPECT_EQ(expected.backfilled, 0);
}

// Long batches beside many cells of others look at a copy of their own.
TEST(Kv, WhatIsReadBesideOthersIsWhatIsReadAlone) {
  for (const TinyOptions& model :
       {TinyOptions{}, TinyOptions{.family = "gemma3", .window = 20, .window_pattern = 2}}) {
    const LoadedTiny tiny(model);
    DecoderOptions options = small_decoder();
    options.context = 1024;
    options.kv_type = KvType::f32;
    options.flash_attention = FlashAttention::automatic;
    Decoder decoder(tiny.model(), options);
    const auto text = [&](int count, std::uint32_t seed) {
      return random_tokens(count, tiny.vocabulary_size(), seed);
    };
    for (SequenceId other = 0; other < 6; ++other)
      decoder.forward(other, text(100, 1 + static_cast<std::uint32_t>(other)));
    decoder.remove(2);  // so that new cells lie among old ones
    decoder.fork(0, 10, 40);
    std::vector<BatchToken> batch = batch_of(text(60, 20), 10);
    for (const BatchToken& token : batch_of(text(50, 21), 11))
      batch.push_back(token);
    const ForwardResult result = decoder.forward(batch);

    Decoder alone(tiny.model(), options);
    const std::vector<Token> shared = text(100, 1);
    alone.forward(0, std::span(shared).first(40));
    const std::vector<float> first = all_logits(alone, text(60, 20));
    const std::vector<float> second = all_logits(alone, text(50, 21), {}, 1);
    const std::size_t part = first.size();
    EXPECT_LE(nmse(result.logits.first(part), first), 1e-6) << model.family;
    EXPECT_LE(nmse(result.logits.subspan(part), second), 1e-6) << model.family;
  }
}

// Where all attention left in was left out of the prefix, tolerating is not seeing the prefix at
// all; as positions only matter relatively, that is a run of the rest alone.
TEST(Kv, TolerateSeesOnlyWhatIsThere) {
  const LoadedTiny tiny({.layers = CACHE_LAYERS});
  Decoder decoder(tiny.model(), few_cells(MissingKv::tolerate));
  decoder.forward(0, PREFIX, mask_of("a0-2"));
  const auto actual = all_logits(decoder, REST, mask_of("a0,a2"));
  Decoder fresh(tiny.model(), few_cells(MissingKv::refuse));
  EXPECT_LE(nmse(actual, all_logits(fresh, REST, mask_of("a0,a2"))), 1e-7);
  EXPECT_EQ(decoder.length(0), 8);
  // And where nothing is lacking, tolerating changes nothing.
  Decoder plain(tiny.model(), few_cells(MissingKv::tolerate));
  plain.forward(0, PREFIX);
  const auto seen = all_logits(plain, REST);
  fresh.clear();
  fresh.forward(0, PREFIX);
  EXPECT_LE(nmse(seen, all_logits(fresh, REST)), 1e-12);
  EXPECT_GT(nmse(actual, seen), 1e-3);
}

// One layer differs: the last. A single new token then attends, there, to itself alone, whatever
// its query is; so its attention output is its own value, projected. That is computed here by hand.
TEST(Kv, TolerateWithOneLayerLacking) {
  const TinyOptions options{.layers = 2};
  TinyModel file(options);
  const LoadedTiny tiny(file);
  Decoder decoder(tiny.model(), few_cells(MissingKv::tolerate));
  decoder.forward(0, PREFIX, SublayerMask::parse("a1", 2));
  const std::vector<Tap> taps = {{TapPoint::layer_in, 1}, {TapPoint::attn_out, 1}};
  const std::vector<Token> one = {60};
  const auto result = decoder.forward(batch_of(one), {}, taps);

  const auto width = static_cast<std::size_t>(options.embd);
  const auto in = result.taps[0];
  double squares = 0.0;
  for (const float value : in)
    squares += static_cast<double>(value) * value;
  const double norm = 1.0 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
  const auto norm_weight = file.floats("blk.1.attn_norm.weight");
  std::vector<double> normed;
  for (std::size_t i = 0; i < width; ++i)
    normed.push_back(in[i] * norm * norm_weight[i]);
  const auto multiply = [](const std::vector<float>& matrix, const std::vector<double>& vector) {
    std::vector<double> product(matrix.size() / vector.size());
    for (std::size_t row = 0; row < product.size(); ++row) {
      for (std::size_t i = 0; i < vector.size(); ++i)
        product[row] += matrix[row * vector.size() + i] * vector[i];
    }
    return product;
  };
  const auto value = multiply(file.floats("blk.1.attn_v.weight"), normed);
  const auto head_size = static_cast<std::size_t>(options.embd / options.heads);
  std::vector<double> heads;  // each KV head serves heads / kv_heads query heads
  for (std::size_t head = 0; head < static_cast<std::size_t>(options.heads); ++head) {
    const std::size_t kv_head =
        head * static_cast<std::size_t>(options.kv_heads) / static_cast<std::size_t>(options.heads);
    for (std::size_t i = 0; i < head_size; ++i)
      heads.push_back(value[kv_head * head_size + i]);
  }
  const auto projected = multiply(file.floats("blk.1.attn_output.weight"), heads);
  std::vector<float> expected;
  for (std::size_t i = 0; i < width; ++i)
    expected.push_back(static_cast<float>(in[i] + projected[i]));
  EXPECT_LE(nmse(result.taps[1], expected), 1e-9);
}

TEST(Kv, AFullContextIsRefusedAndNothingChanges) {
  const LoadedTiny tiny({.layers = CACHE_LAYERS});
  DecoderOptions options = few_cells(MissingKv::refuse);
  options.ubatch = 8;  // so that some graphs would fit
  Decoder decoder(tiny.model(), options);
  const auto tokens = random_tokens(40, tiny.vocabulary_size(), 31);
  decoder.forward(0, tokens);
  const int free = decoder.free_cells();
  EXPECT_THROW(decoder.forward(1, tokens), UserError);
  EXPECT_EQ(decoder.length(0), 40);
  EXPECT_EQ(decoder.length(1), 0);
  EXPECT_EQ(decoder.free_cells(), free);
  Decoder fresh(tiny.model(), options);
  fresh.forward(0, tokens);
  EXPECT_LE(nmse(all_logits(decoder, REST), all_logits(fresh, REST)), 1e-9);
}

TEST(Kv, CellsAreSharedByForksAndUsedAgain) {
  const LoadedTiny tiny({.layers = CACHE_LAYERS});
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  const int all = decoder.free_cells();
  EXPECT_EQ(all, FEW_CELLS);
  decoder.forward(0, PREFIX);
  const std::size_t bytes = decoder.kv_bytes();
  for (SequenceId branch = 1; branch < 8; ++branch)
    decoder.fork(0, branch);
  EXPECT_EQ(decoder.free_cells(), all - 5);
  decoder.remove(0);
  EXPECT_EQ(decoder.free_cells(), all - 5) << "the branches still need them";
  for (SequenceId branch = 1; branch < 8; ++branch)
    decoder.remove(branch);
  EXPECT_EQ(decoder.free_cells(), all);
  for (int round = 0; round < 10; ++round) {
    decoder.forward(round, random_tokens(30, tiny.vocabulary_size(), 32));
    decoder.remove(round);
  }
  EXPECT_EQ(decoder.free_cells(), all);
  EXPECT_EQ(decoder.kv_bytes(), bytes);
}

TEST(Kv, AnInterruptLeavesTheCacheAsItWas) {
  const LoadedTiny tiny({.layers = CACHE_LAYERS});
  DecoderOptions options = few_cells(MissingKv::refuse);
  options.ubatch = 4;
  Decoder decoder(tiny.model(), options);
  decoder.forward(0, PREFIX);
  const int free = decoder.free_cells();
  int calls = 0;
  decoder.set_interrupt([&] { return ++calls > 2; });
  const auto stopped = decoder.forward(0, random_tokens(30, tiny.vocabulary_size(), 33));
  EXPECT_TRUE(stopped.interrupted);
  EXPECT_EQ(stopped.rows, 0);
  EXPECT_EQ(decoder.length(0), 5);
  EXPECT_EQ(decoder.free_cells(), free);
  decoder.set_interrupt({});
  Decoder fresh(tiny.model(), options);
  fresh.forward(0, PREFIX);
  EXPECT_LE(nmse(all_logits(decoder, REST), all_logits(fresh, REST)), 1e-9);
}

TEST(Kv, UnknownSequencesAreEmpty) {
  const LoadedTiny tiny({.layers = CACHE_LAYERS});
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  EXPECT_EQ(decoder.length(77), 0);
  EXPECT_NO_THROW(decoder.remove(77));
  EXPECT_EQ(decoder.held_prefix(PREFIX, {}).length, 0);
  EXPECT_EQ(decoder.held_prefix(PREFIX, {}).sequence, -1);
}

TEST(Kv, AContextLargerThanTheModelsIsRefused) {
  const LoadedTiny tiny({.layers = CACHE_LAYERS, .context = 128});
  DecoderOptions options;
  options.context = 129;
  EXPECT_THROW(Decoder(tiny.model(), options), UserError);
}

TEST(Kv, TokensOutsideTheVocabularyAreRefused) {
  const LoadedTiny tiny({.layers = CACHE_LAYERS});
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  for (const Token bad : {-1, tiny.vocabulary_size(), 1 << 30}) {
    EXPECT_THROW(decoder.forward(0, std::vector<Token>{3, bad}), UserError) << bad;
    EXPECT_EQ(decoder.length(0), 0);
  }
}

}  // namespace
}  // namespace litestage::test
