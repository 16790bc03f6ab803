// What a sublayer changes, accumulated over stages, against the prompts each computed at once.
#include "offline/accumulated_change.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "offline/profile.h"
#include "offline/stage_trace.h"
#include "support/calibration.h"
#include "support/direct_changes.h"
#include "support/importance_example.h"
#include "support/two_stages.h"

namespace litestage::test {
namespace {

TEST(AccumulatedChange, IsTheMeanOverTheStagesWholePrompts) {
  const LoadedTiny tiny{TinyModel(TinyOptions{})};
  DecoderOptions decoder_options = small_decoder();
  decoder_options.context = 1024;
  // Else how tokens are split into calls shows in the fifth digit.
  decoder_options.kv_type = KvType::f32;
  decoder_options.flash_attention = FlashAttention::off;
  Decoder decoder(tiny.model(), decoder_options);
  const Program program = parse_program(TWO_STAGES, "two.toml");
  const Question question = calibration_questions().front();
  ProfileOptions options;
  options.damage_tokens = 0;
  options.cost = {.min_rounds = 3, .max_rounds = 3, .max_ms = 1};
  const auto importance = profile(decoder, program, {question}, options, "");
  ASSERT_TRUE(importance);

  std::vector<StageTrace> traces;
  {
    TraceRecorder recorder(decoder, program, {nullptr, options.kv_reuse});
    traces = *recorder.record(question, 0);
  }
  ASSERT_EQ(traces.size(), 2U);
  const std::vector<Token>& first = traces[0].context;
  const std::vector<Token>& second = traces[1].context;
  ASSERT_GT(second.size(), first.size());
  ASSERT_LT(traces[1].fresh, static_cast<int>(second.size())) << "nothing was held";
  EXPECT_EQ(importance->stages[0].prompt_tokens, static_cast<double>(first.size()));
  EXPECT_EQ(importance->stages[1].prompt_tokens, static_cast<double>(second.size()));

  const auto of_first = direct_means(decoder, first, 0, first.size());
  const auto of_second = direct_means(decoder, second, 0, second.size());
  const double share =
      static_cast<double>(first.size()) / static_cast<double>(first.size() + second.size());
  for (int layer = 0; layer < importance->layer_count(); ++layer) {
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
      const auto i = static_cast<std::size_t>(layer);
      const auto j = static_cast<std::size_t>(sublayer);
      const SublayerFigures& reading = importance->stages[1].of(sublayer, layer).prefill;
      EXPECT_NEAR(reading.cosine, of_second[i][j].cosine, 1e-5) << layer;
      EXPECT_NEAR(reading.norm_ratio, of_second[i][j].norm_ratio, 1e-5) << layer;
      const MeanChange found = accumulated_change(*importance, sublayer, layer);
      EXPECT_NEAR(found.cosine,
                  share * of_first[i][j].cosine + (1 - share) * of_second[i][j].cosine, 1e-5)
          << layer;
      EXPECT_NEAR(found.norm_ratio,
                  share * of_first[i][j].norm_ratio + (1 - share) * of_second[i][j].norm_ratio,
                  1e-5)
          << layer;
    }
  }
}

TEST(AccumulatedChange, WithoutPromptsStagesWeighByFreshTokens) {
  Importance importance = importance_example();
  importance.stages[0].of(Sublayer::ffn, 1).prefill.cosine = 0.5;
  importance.stages[1].of(Sublayer::ffn, 1).prefill.cosine = 0.9;
  importance.stages[0].fresh_tokens = 30;
  importance.stages[1].fresh_tokens = 10;
  importance.stages[0].prompt_tokens = 30;
  importance.stages[1].prompt_tokens = 90;
  EXPECT_NEAR(accumulated_change(importance, Sublayer::ffn, 1).cosine, 0.8, 1e-12);
  importance.stages[0].prompt_tokens = 0;  // one that is not known is as good as none
  EXPECT_NEAR(accumulated_change(importance, Sublayer::ffn, 1).cosine, 0.6, 1e-12);
  importance.stages[0].fresh_tokens = importance.stages[1].fresh_tokens = 0;
  EXPECT_TRUE(std::isnan(accumulated_change(importance, Sublayer::ffn, 1).cosine));
}

}  // namespace
}  // namespace litestage::test
