// Tokens that are taken over from another sequence instead of being computed: V copied, K turned.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "litestage/error.h"
#include "support/decoder_tools.h"
#include "support/libllama_oracle.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

const std::vector<Token> BEFORE = {10, 20, 30, 40, 50, 60, 70};
const std::vector<Token> ELSEWHERE = {11, 12};
const std::vector<Token> TEXT = {80, 90, 100, 110};
constexpr Token LAST = 7;

std::vector<Token> joined(std::initializer_list<std::vector<Token>> parts) {
  std::vector<Token> all;
  for (const std::vector<Token>& part : parts)
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// `ELSEWHERE`, then `TEXT` taken over from behind `BEFORE`, then one token that is computed.
ForwardResult take_over(Decoder& decoder, const SublayerMask& mask = {}) {
  decoder.forward(0, joined({BEFORE, TEXT}), mask);
  const std::vector<KeptText> kept = {{.from = 0, .first = 7, .at = 2, .count = 4}};
  return decoder.forward(1, joined({ELSEWHERE, TEXT, {LAST}}), kept, mask);
}

// K and V of the first layer depend on nothing but token and position, so that in a model of one
// layer taking over is exact, whatever its rotary positions are like.
TEST(KeptText, OfOneLayerGivesTheLogitsOfComputingIt) {
  for (const TinyCase& tested : feature_cases()) {
    TinyOptions options = tested.options;
    options.layers = 1;
    if (!options.window_layers.empty()) options.window_layers.resize(1);
    const LoadedTiny tiny(options);
    Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
    const ForwardResult result = take_over(decoder);
    EXPECT_EQ(result.taken_over, 4) << tested.name;
    Decoder fresh(tiny.model(), few_cells(MissingKv::refuse));
    const ForwardResult whole = fresh.forward(0, joined({ELSEWHERE, TEXT, {LAST}}));
    EXPECT_LE(nmse(result.logits, whole.logits), 1e-9) << tested.name;
  }
}

TEST(KeptText, AtTheSamePlaceBehindTheSameTokensNothingDiffers) {
  const LoadedTiny tiny(TinyOptions{.heads = 2});  // of 32 values, as many as a block of Q8_0
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0}) {
    DecoderOptions options = few_cells(MissingKv::refuse);
    options.kv_type = type;
    Decoder decoder(tiny.model(), options);
    decoder.forward(0, joined({BEFORE, TEXT}));
    const std::vector<KeptText> kept = {{.from = 0, .first = 7, .at = 7, .count = 4}};
    const ForwardResult result = decoder.forward(1, joined({BEFORE, TEXT, {LAST}}), kept);
    const std::vector<float> taken(result.logits.begin(), result.logits.end());
    const ForwardResult whole = decoder.forward(0, std::vector<Token>{LAST});
    EXPECT_LE(nmse(taken, whole.logits), type == KvType::f32 ? 1e-9 : 1e-4);
  }
}

TEST(KeptText, IsThePlainAttentionsToo) {
  const LoadedTiny tiny(TinyOptions{.layers = 1});
  DecoderOptions options = few_cells(MissingKv::refuse);
  options.flash_attention = FlashAttention::off;
  Decoder decoder(tiny.model(), options);
  const ForwardResult result = take_over(decoder);
  Decoder fresh(tiny.model(), options);
  const ForwardResult whole = fresh.forward(0, joined({ELSEWHERE, TEXT, {LAST}}));
  EXPECT_LE(nmse(result.logits, whole.logits), 1e-9);
}

// Deeper layers saw what stood before the text where it was written.
TEST(KeptText, IsAnApproximationInDeeperModels) {
  const LoadedTiny tiny(TinyOptions{});
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  const ForwardResult result = take_over(decoder);
  Decoder fresh(tiny.model(), few_cells(MissingKv::refuse));
  const ForwardResult whole = fresh.forward(0, joined({ELSEWHERE, TEXT, {LAST}}));
  const double distance = nmse(result.logits, whole.logits);
  EXPECT_GT(distance, 1e-6);
  EXPECT_LT(distance, 1.0);
}

TEST(KeptText, TheSequenceIsWhatItsTokensSay) {
  const LoadedTiny tiny(TinyOptions{});
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  take_over(decoder);
  EXPECT_EQ(decoder.length(1), 7);
  EXPECT_EQ(decoder.free_cells(), FEW_CELLS - 11 - 7);
  decoder.remove(0);
  EXPECT_EQ(decoder.held_prefix(joined({ELSEWHERE, TEXT, {LAST}}), {}).length, 7);
  EXPECT_EQ(decoder.free_cells(), FEW_CELLS - 7);
}

TEST(KeptText, AnInterruptAtAnyPointLeavesTheSequenceAsItWas) {
  const LoadedTiny tiny(TinyOptions{});
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  decoder.forward(0, joined({BEFORE, TEXT}));
  decoder.forward(1, std::vector<Token>{ELSEWHERE[0]});
  const int free = decoder.free_cells();
  const std::vector<KeptText> kept = {{.from = 0, .first = 7, .at = 1, .count = 4}};
  const std::vector<Token> tokens = joined({{ELSEWHERE[1]}, TEXT, {LAST}});
  bool interrupted = true;
  int stops = 0;
  for (; interrupted; ++stops) {
    ASSERT_LT(stops, 1000) << "never done";
    int asked = 0;
    decoder.set_interrupt([&] { return asked++ >= stops; });
    const ForwardResult result = decoder.forward(1, tokens, kept);
    interrupted = result.interrupted;
    if (!interrupted) continue;
    EXPECT_EQ(decoder.length(1), 1) << stops;
    EXPECT_EQ(decoder.free_cells(), free) << stops;
  }
  EXPECT_GT(stops, 2) << "while cells are moved, too";
}

TEST(KeptText, TheLastTokenIsComputed) {
  const LoadedTiny tiny(TinyOptions{});
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  decoder.forward(0, joined({BEFORE, TEXT}));
  const std::vector<KeptText> kept = {{.from = 0, .first = 7, .at = 0, .count = 4}};
  const ForwardResult result = decoder.forward(1, TEXT, kept);
  EXPECT_EQ(result.taken_over, 3);
  EXPECT_EQ(result.rows, 1);
}

TEST(KeptText, WhatLacksALayerOrIsAnotherTokenIsComputed) {
  const LoadedTiny tiny(TinyOptions{});
  const SublayerMask lacking = SublayerMask::parse("a1", 3);
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  decoder.forward(0, joined({BEFORE, TEXT}), lacking);
  const std::vector<KeptText> kept = {{.from = 0, .first = 7, .at = 2, .count = 4}};
  EXPECT_EQ(decoder.forward(1, joined({ELSEWHERE, TEXT, {LAST}}), kept).taken_over, 0);
  const std::vector<Token> other = {80, 91, 100, 110};
  EXPECT_EQ(decoder.forward(2, joined({ELSEWHERE, other, {LAST}}), kept, lacking).taken_over, 3);
}

TEST(KeptText, WhatDoesNotFitIsRefusedAndNothingChanges) {
  const LoadedTiny tiny(TinyOptions{});
  Decoder decoder(tiny.model(), few_cells(MissingKv::refuse));
  decoder.forward(0, joined({BEFORE, TEXT}));
  const std::vector<Token> tokens = joined({ELSEWHERE, TEXT, {LAST}});
  const auto refused = [&](const std::vector<KeptText>& kept) {
    EXPECT_THROW(decoder.forward(1, tokens, kept), UserError);
    EXPECT_EQ(decoder.length(1), 0);
  };
  refused({{.from = 0, .first = 8, .at = 2, .count = 4}});   // beyond the sequence
  refused({{.from = 0, .first = -1, .at = 2, .count = 4}});  // before it
  refused({{.from = 0, .first = 7, .at = 4, .count = 4}});   // beyond the tokens
  refused({{.from = 1, .first = 0, .at = 0, .count = 1}});   // its own
  refused({{.from = 0, .first = 7, .at = 2, .count = 2}, {.from = 0, .first = 7, .at = 3}});
  const std::vector<Token> many(FEW_CELLS, LAST);
  EXPECT_THROW(decoder.forward(1, many, std::vector<KeptText>{}), UserError);
  EXPECT_EQ(decoder.length(1), 0);
}

}  // namespace
}  // namespace litestage::test
