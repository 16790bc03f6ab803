// A step of decoding calls operator new not once, builds no graph and copies no logits.

#include <gtest/gtest.h>
#include <llama.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "allocation/allocation_count.h"
#include "litestage/plan.h"
#include "model/head_file.h"
#include "model/local_decoder.h"
#include "stage/generate.h"
#include "support/decoder_tools.h"
#include "support/temporary.h"
#include "support/tiny_model.h"

namespace litestage::test {
namespace {

constexpr int WARM = 4;    // steps in which memory is taken that later ones use again
constexpr int STEPS = 50;  // behind them
constexpr int TOKENS = WARM + STEPS + 1;  // the first one is chosen before any step

/// Behind so many tokens neither a sequence's list of cells, which doubles, nor the cells that are
/// looked at, which grow in steps of 256, outgrow their room while four texts are written.
constexpr int PROMPT = 290;

/// Never ends a text: its end has a logit of 0, and of hundreds of random ones some are above.
TinyModel endless_model() {
  constexpr std::ptrdiff_t END_OF_TEXT = 2;
  TinyModel model({});
  std::vector<std::uint8_t>& head = model.tensor("output.weight").data;
  const auto row = static_cast<std::ptrdiff_t>(head.size()) / model.options().vocab;
  std::fill_n(head.begin() + END_OF_TEXT * row, row, std::uint8_t{0});
  return model;
}

DecoderOptions roomy(MissingKv missing_kv = MissingKv::refuse) {
  DecoderOptions options;
  options.context = 1024;
  options.threads = 2;
  options.missing_kv = missing_kv;
  return options;
}

/// What there was when a token was chosen.
struct Noted {
  std::int64_t allocations;
  std::int64_t graphs;
};

/// Writes texts behind one prompt and looks at all steps but the first few.
void expect_steps_take_nothing(Decoder& decoder, GenerationLimits limits, int branches,
                               const SublayerMask& mask = {}) {
  std::vector<Token> prompt;
  for (int i = 0; i < PROMPT; ++i)
    prompt.push_back(3 + 7 * i % 300);
  decoder.forward(0, prompt, mask);
  std::vector<BatchToken> beginnings;
  std::vector<GenerationBranch> writing;
  for (int sequence = 1; sequence <= branches; ++sequence) {
    decoder.fork(0, sequence);
    beginnings.push_back({10 + sequence, sequence, true});
    writing.push_back({sequence, Sampler(decoder.model().tokenizer(), {})});
  }
  const ForwardResult first = decoder.forward(beginnings, mask, {}, limits.head);

  std::vector<Noted> noted;
  noted.reserve(static_cast<std::size_t>(branches * TOKENS));
  limits.max_tokens = TOKENS;
  limits.on_token = [&](Token, std::span<const float>) {
    noted.push_back({allocation_count(), decoder.graph_statistics().built});
  };
  const std::vector<GeneratedText> texts = generate(
      decoder, mask, nullptr, first, std::move(writing), limits, [](int, std::string_view) {},
      nullptr);

  for (const GeneratedText& text : texts)
    ASSERT_EQ(text.reason, StopReason::max_tokens) << text.text;
  ASSERT_EQ(noted.size(), static_cast<std::size_t>(branches * TOKENS));
  const Noted& begin = noted.front();
  const Noted& warm = noted[static_cast<std::size_t>(branches * WARM)];
  const Noted& end = noted[static_cast<std::size_t>(branches * (WARM + STEPS))];
  EXPECT_GT(warm.allocations, begin.allocations);  // else nothing is counted
  EXPECT_EQ(end.allocations, warm.allocations);
  EXPECT_EQ(end.graphs, warm.graphs);
}

TEST(AllocationCount, SeesThoseOfSharedLibraries) {
  const std::int64_t before = allocation_count();
  llama_sampler_free(llama_sampler_init_greedy());
  EXPECT_GT(allocation_count(), before);
}

TEST(DecodeStep, OfOneSequenceTakesNothing) {
  const LoadedTiny tiny(endless_model());
  Decoder decoder(tiny.model(), roomy());
  expect_steps_take_nothing(decoder, {}, 1);
}

TEST(DecodeStep, OfFourBranchesTakesNothing) {
  const LoadedTiny tiny(endless_model());
  Decoder decoder(tiny.model(), roomy());
  expect_steps_take_nothing(decoder, {}, 4);
}

TEST(DecodeStep, WithSublayersLeftOutTakesNothing) {
  const LoadedTiny tiny(endless_model());
  const SublayerMask mask = SublayerMask::parse("f1,a2*1.05", tiny.model()->layer_count());
  for (const MissingKv missing_kv : {MissingKv::refuse, MissingKv::backfill, MissingKv::tolerate}) {
    SCOPED_TRACE(static_cast<int>(missing_kv));
    Decoder decoder(tiny.model(), roomy(missing_kv));
    expect_steps_take_nothing(decoder, {}, 4, mask);
  }
}

TEST(DecodeStep, UnderAnExitRuleTakesNothing) {
  const LoadedTiny tiny(endless_model());
  Decoder decoder(tiny.model(), roomy());
  GenerationLimits limits;
  limits.stop = {"no such text"};
  limits.exit.confidence = ConfidenceKind::negative_entropy;
  limits.exit.threshold = -1e9;  // watched, and never reached
  limits.record_confidence = true;
  expect_steps_take_nothing(decoder, limits, 4);
}

TEST(DecodeStep, WithTheTwoPassHeadTakesNothing) {
  const TinyModel model = endless_model();
  const LoadedTiny tiny(model);
  const TemporaryFolder folder;
  const TinyOptions& sizes = model.options();
  HeadPreviewInfo info;
  info.model_hash = model_hash(*tiny.model());
  info.rank = sizes.embd;
  info.proposals = 4;
  info.margin = -1.0F;  // the preview is the head itself: the whole one is never asked
  const auto head = std::ranges::find(model.tensors(), "output.weight", &TinyModel::Tensor::name);
  write_head_file({.info = info,
                   .n_embd = sizes.embd,
                   .n_vocab = sizes.vocab,
                   .projection = {},
                   .type = GGML_TYPE_F32,
                   .matrix = std::as_bytes(std::span(head->data))},
                  folder / "tiny.head.gguf");
  Decoder decoder(tiny.model(), roomy());
  decoder.set_head_preview(
      HeadPreview::load(folder / "tiny.head.gguf", *tiny.model(), info.model_hash));
  GenerationLimits limits;
  limits.head = HeadUse::preview;
  expect_steps_take_nothing(decoder, limits, 1);
  EXPECT_EQ(decoder.head_statistics().previewed, TOKENS);
  EXPECT_EQ(decoder.head_statistics().full, 0);
}

TEST(DecodeStep, LogitsAreReadWhereTheGraphWroteThem) {
  const LoadedTiny tiny(endless_model());
  LocalDecoder decoder(tiny.model(), roomy());
  const std::vector<BatchToken> batch = {{5, 0, true}, {6, 1, true}};
  const ForwardResult result = decoder.forward(batch, {}, {}, HeadUse::full, {});
  EXPECT_EQ(result.logits.data(), decoder.compute().logits_of_graph());
}

}  // namespace
}  // namespace litestage::test
