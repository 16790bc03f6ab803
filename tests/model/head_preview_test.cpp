// The two-pass head: greedy decoding with a preview writes what the full head writes, on tiny
// random models whose previews are learned here.
#include "litestage/head_preview.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/text_file.h"
#include "litestage/decoder_pool.h"
#include "litestage/error.h"
#include "litestage/plan.h"
#include "litestage/sampler.h"
#include "model/head_file.h"
#include "model/head_rows.h"
#include "offline/head_learning.h"
#include "support/decoder_tools.h"
#include "support/pool_tools.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

constexpr int PREVIEW_VOCABULARY = 640;

TinyOptions model_with_head(ggml_type head, const std::string& family = "qwen2") {
  TinyOptions options;
  options.family = family;
  options.embd = 64;
  options.vocab = PREVIEW_VOCABULARY;
  options.head_type = head;
  return options;
}

std::vector<std::vector<Token>> random_texts(int count, int length, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<Token>> texts(static_cast<std::size_t>(count));
  for (std::vector<Token>& text : texts) {
    for (int i = 0; i < length; ++i)
      text.push_back(static_cast<Token>(random() % PREVIEW_VOCABULARY));
  }
  return texts;
}

/// A model, a decoder, and a preview learned on random texts.
class Previewed {
 public:
  explicit Previewed(const TinyOptions& options, std::vector<int> ranks = {32}, int proposals = 4)
      : tiny_(options), decoder_(tiny_.model(), small_decoder()) {
    const auto states = hidden_states(decoder_, random_texts(8, 100, 1));
    HeadLearningOptions learning;
    learning.ranks = std::move(ranks);
    learning.proposals = proposals;
    learned_ = *learn_head(*tiny_.model(), *states, learning);
    learned_.info.model_hash = hash();
    write_head_file({learned_.info, tiny_.model()->embedding_size(), PREVIEW_VOCABULARY,
                     learned_.projection, GGML_TYPE_Q4_0, learned_.matrix},
                    file());
  }

  std::filesystem::path file() const { return folder_ / "tiny.head.gguf"; }
  std::string hash() const { return model_hash(*tiny_.model()); }
  const Model& model() const { return *tiny_.model(); }
  const LoadedTiny& tiny() const { return tiny_; }
  Decoder& decoder() { return decoder_; }
  const LearnedHead& learned() const { return learned_; }
  std::shared_ptr<const HeadPreview> load() const {
    return HeadPreview::load(file(), model(), hash());
  }
  void attach() { decoder_.set_head_preview(load()); }

 private:
  TemporaryFolder folder_;
  LoadedTiny tiny_;
  Decoder decoder_;
  LearnedHead learned_;
};

std::vector<Token> greedy(Decoder& decoder, const std::vector<Token>& prompt, HeadUse head) {
  decoder.clear();
  std::vector<BatchToken> batch;
  for (const Token token : prompt)
    batch.push_back({token, 0, false});
  batch.back().want_logits = true;
  std::vector<Token> text;
  for (int i = 0; i < 40; ++i) {
    const ForwardResult result = decoder.forward(batch, {}, {}, head);
    text.push_back(argmax(result.row(0, PREVIEW_VOCABULARY)));
    batch = {{text.back(), 0, true}};
  }
  return text;
}

TEST(HeadRows, AreWhatTheGraphComputes) {
  for (const ggml_type type :
       {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q5_0}) {
    SCOPED_TRACE(ggml_type_name(type));
    LoadedTiny tiny(model_with_head(type));
    Decoder decoder(tiny.model(), small_decoder());
    const std::vector<Tap> taps = {{TapPoint::final_norm, 0}};
    const std::vector<BatchToken> batch = {{5, 0, false}, {6, 0, false}, {7, 0, true}};
    const ForwardResult result = decoder.forward(batch, {}, taps);
    const auto width = static_cast<std::size_t>(tiny.model()->embedding_size());
    const auto state = result.taps[0].last(width);
    HeadRows rows(*tiny.model());
    std::vector<float> all(PREVIEW_VOCABULARY);
    rows.compute_all(state, all, 2);
    std::vector<float> some(PREVIEW_VOCABULARY, -1000.0F);
    rows.compute(state, std::vector<int>{3, 600}, some);
    std::vector<float> packed(2);
    rows.compute_packed(state, std::vector<int>{600, 3}, packed);
    EXPECT_EQ(packed, (std::vector<float>{all[600], all[3]}));
    for (int i = 0; i < PREVIEW_VOCABULARY; ++i) {
      const auto index = static_cast<std::size_t>(i);
      EXPECT_NEAR(all[index], result.row(0, PREVIEW_VOCABULARY)[index], 2e-3) << i;
      EXPECT_EQ(some[index], i == 3 || i == 600 ? all[index] : -1000.0F);
    }
  }
}

TEST(HeadRows, TakeBiasScaleAndSoftCapIn) {
  TinyOptions capped = model_with_head(GGML_TYPE_F32, "gemma3");
  capped.final_softcap = 5.0F;
  TinyOptions biased = model_with_head(GGML_TYPE_F32, "phi3");
  TinyOptions scaled = model_with_head(GGML_TYPE_F32, "granite");
  scaled.logit_scale = 8.0F;
  for (const TinyOptions& options : {capped, biased, scaled}) {
    SCOPED_TRACE(options.family);
    LoadedTiny tiny(options);
    Decoder decoder(tiny.model(), small_decoder());
    const std::vector<Tap> taps = {{TapPoint::final_norm, 0}};
    const std::vector<BatchToken> batch = {{5, 0, true}};
    const ForwardResult result = decoder.forward(batch, {}, taps);
    HeadRows rows(*tiny.model());
    std::vector<float> all(PREVIEW_VOCABULARY);
    rows.compute_all(result.taps[0], all, 1);
    for (std::size_t i = 0; i < PREVIEW_VOCABULARY; ++i)
      EXPECT_NEAR(all[i], result.row(0, PREVIEW_VOCABULARY)[i], 1e-4) << i;
  }
}

TEST(HeadPreview, GreedyTextIsTheFullHeads) {
  for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_Q8_0}) {
    Previewed previewed(model_with_head(type));
    previewed.attach();
    for (const std::vector<Token>& prompt : random_texts(10, 12, 99)) {
      const std::vector<Token> full = greedy(previewed.decoder(), prompt, HeadUse::full);
      EXPECT_EQ(greedy(previewed.decoder(), prompt, HeadUse::preview), full);
    }
    const Decoder::HeadStatistics seen = previewed.decoder().head_statistics();
    EXPECT_EQ(seen.previewed, 10 * 40);
    EXPECT_LT(seen.full, seen.previewed);
  }
}

TEST(HeadPreview, TheBestLogitIsExactAndAllOthersAreBelow) {
  Previewed previewed(model_with_head(GGML_TYPE_F32));
  previewed.attach();
  Decoder& decoder = previewed.decoder();
  const std::vector<std::vector<Token>> texts = random_texts(5, 20, 3);
  for (const std::vector<Token>& text : texts) {
    decoder.clear();
    const ForwardResult full = decoder.forward(batch_of(text));
    const std::vector<float> exact(full.logits.begin(), full.logits.end());
    decoder.clear();
    const ForwardResult result = decoder.forward(batch_of(text), {}, {}, HeadUse::preview);
    ASSERT_EQ(result.rows, static_cast<int>(text.size()));
    for (int row = 0; row < result.rows; ++row) {
      const auto logits = result.row(row, PREVIEW_VOCABULARY);
      const auto best = static_cast<std::size_t>(argmax(logits));
      EXPECT_NEAR(logits[best], exact[static_cast<std::size_t>(row) * PREVIEW_VOCABULARY + best],
                  1e-4);
      EXPECT_EQ(std::count_if(logits.begin(), logits.end(),
                              [&](float each) { return each > logits[best]; }),
                0);
    }
  }
}

// In one batch of a pool, whose head is the preview.
TEST(HeadPreview, LogitsThatAreWantedAloneAreExactBesideGreedyTexts) {
  Previewed previewed(model_with_head(GGML_TYPE_F32));
  const std::vector<std::vector<Token>> texts = random_texts(4, 6, 5);
  const std::vector<Token> some = {600, 3};
  DecoderPool pool(previewed.tiny().model(), exact_decoder(256), previewed.load());
  on_threads(4, [&](int i) {
    const std::vector<Token>& text = texts[static_cast<std::size_t>(i)];
    Decoder lone(previewed.tiny().model(), exact_decoder(64));
    const ForwardResult exact = lone.forward(0, text);
    Decoder client = pool.client();
    client.set_interrupt([&] {
      while (pool.statistics().calls < 4)
        std::this_thread::yield();
      return false;
    });
    if (i % 2 == 0) {
      const ForwardResult result = client.forward(0, text, {}, HeadUse::preview);
      EXPECT_EQ(argmax(result.logits), argmax(exact.logits));
      EXPECT_EQ(client.head_statistics().previewed, 1);
      return;
    }
    const ForwardResult result = client.forward(0, text, {}, HeadUse::preview, some);
    ASSERT_EQ(result.logits.size(), some.size());
    for (std::size_t token = 0; token < some.size(); ++token)
      EXPECT_NEAR(result.logits[token], exact.logits[static_cast<std::size_t>(some[token])], 1e-4);
    EXPECT_EQ(client.head_statistics().previewed, 0);
  });
  EXPECT_EQ(pool.statistics().batches, 1);
}

TEST(HeadPreview, AnImpossibleMarginAsksTheWholeHeadForEveryToken) {
  Previewed previewed(model_with_head(GGML_TYPE_F32));
  LearnedHead head = previewed.learned();
  head.info.margin = 1e6F;
  write_head_file({head.info, previewed.model().embedding_size(), PREVIEW_VOCABULARY,
                   head.projection, GGML_TYPE_Q4_0, head.matrix},
                  previewed.file());
  previewed.attach();
  const std::vector<Token> prompt = {9, 8, 7};
  const std::vector<Token> full = greedy(previewed.decoder(), prompt, HeadUse::full);
  EXPECT_EQ(greedy(previewed.decoder(), prompt, HeadUse::preview), full);
  EXPECT_EQ(previewed.decoder().head_statistics().full, 40);
}

TEST(HeadPreview, WithoutOneTheFullHeadIsUsed) {
  LoadedTiny tiny(model_with_head(GGML_TYPE_F32));
  Decoder decoder(tiny.model(), small_decoder());
  const std::vector<Token> prompt = {1, 2, 3};
  EXPECT_EQ(greedy(decoder, prompt, HeadUse::preview), greedy(decoder, prompt, HeadUse::full));
  EXPECT_EQ(decoder.head_statistics().previewed, 0);
}

TEST(HeadPreview, ComesBackFromItsFile) {
  Previewed previewed(model_with_head(GGML_TYPE_F32));
  const auto loaded = HeadPreview::load(previewed.file(), previewed.model(), previewed.hash());
  EXPECT_EQ(loaded->info().rank, previewed.learned().info.rank);
  EXPECT_EQ(loaded->info().margin, previewed.learned().info.margin);
  EXPECT_EQ(loaded->info().proposals, 4);
  EXPECT_EQ(loaded->info().learned_tokens, 800);
  EXPECT_EQ(loaded->bytes(), previewed.learned().matrix.size() +
                                 previewed.learned().projection.size() * sizeof(float));
}

TEST(HeadPreview, RefusesWhatDoesNotFit) {
  Previewed previewed(model_with_head(GGML_TYPE_F32));
  const auto load = [&](const std::string& hash) {
    return HeadPreview::load(previewed.file(), previewed.model(), hash);
  };
  EXPECT_THROW(load("another"), UserError);
  const std::string whole = read_text_file(previewed.file().string());
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{10}, whole.size() / 2, whole.size() - 1}) {
    write_text_file(previewed.file().string(), std::string_view(whole).substr(0, length));
    EXPECT_THROW(load(previewed.hash()), UserError) << length;
  }
  TinyOptions smaller = model_with_head(GGML_TYPE_F32);
  smaller.vocab = PREVIEW_VOCABULARY - 32;
  write_text_file(previewed.file().string(), whole);
  LoadedTiny other(smaller);
  EXPECT_THROW(HeadPreview::load(previewed.file(), *other.model(), previewed.hash()), UserError);
}

TEST(HeadPreview, AFileThatCannotBeWrittenLeavesNothing) {
  Previewed previewed(model_with_head(GGML_TYPE_F32));
  const auto& head = previewed.learned();
  EXPECT_THROW(write_head_file({head.info, previewed.model().embedding_size(), PREVIEW_VOCABULARY,
                                head.projection, GGML_TYPE_Q4_0, head.matrix},
                               "/no/such/folder/x.gguf"),
               UserError);
}

TEST(HeadPreview, LogitsThatAreWantedAloneNeedNoPreviewAndLeaveItInPlace) {
  Previewed previewed(model_with_head(GGML_TYPE_F32));
  previewed.attach();
  const std::vector<Token> text = random_texts(1, 6, 5).front();
  Decoder plain(previewed.tiny().model(), exact_decoder(64));
  const ForwardResult exact = plain.forward(0, text);
  Decoder& decoder = previewed.decoder();
  decoder.clear();
  const std::vector<Token> some = {600, 3};
  const ForwardResult alone = decoder.forward(0, text, {}, HeadUse::preview, some);
  ASSERT_EQ(alone.logits.size(), some.size());
  for (std::size_t i = 0; i < some.size(); ++i)
    EXPECT_NEAR(alone.logits[i], exact.logits[static_cast<std::size_t>(some[i])], 2e-3);
  const std::int64_t before = decoder.head_statistics().previewed;
  const ForwardResult whole = decoder.forward(1, text, {}, HeadUse::preview);
  EXPECT_EQ(argmax(whole.logits), argmax(exact.logits));
  EXPECT_EQ(decoder.head_statistics().previewed, before + 1);
}

}  // namespace
}  // namespace litestage::test
