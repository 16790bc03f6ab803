#include "offline/policy_statistics.h"

#include <gtest/gtest.h>

#include <limits>

#include "litestage/error.h"
#include "support/importance_example.h"

namespace litestage::test {
namespace {

TEST(PolicyStatisticsOfAnImportance, ReadingIsAccumulatedOverPrompts) {
  const Importance importance = importance_example();
  const PolicyStatistics statistics = policy_statistics(importance, "i.json");
  ASSERT_EQ(statistics.layer_count(), 3);
  // Recall's prompt has 80 tokens and answer's 100, which has all cosines 0.001 higher.
  const double weighted = (0.92 * 80 + 0.921 * 100) / 180;
  EXPECT_NEAR(statistics.of(Sublayer::attention, 2).cosine, weighted, 1e-12);
  EXPECT_NEAR(statistics.of(Sublayer::ffn, 1).norm_ratio, (1.125 * 80 + 1.135 * 100) / 180, 1e-12);
}

TEST(PolicyStatisticsOfAnImportance, WritingIsWeightedByTokensWritten) {
  Importance importance = importance_example();
  importance.stages[1].decode_ms = 1000;  // it writes nothing: no say
  const PolicyStatistics statistics = policy_statistics(importance, "i.json");
  EXPECT_NEAR(statistics.decode_ms, 22.5, 1e-12);
  EXPECT_NEAR(statistics.of(Sublayer::ffn, 0).decode_ms, 0.6, 1e-12);
  importance.stages[1].written_tokens = 30.5;
  EXPECT_NEAR(policy_statistics(importance, "i.json").decode_ms, 1022.5 / 2, 1e-12);
}

TEST(PolicyStatisticsOfAnImportance, AStageThatWritesNothingMayHaveNoCosineThere) {
  Importance importance = importance_example();
  importance.stages[1].of(Sublayer::ffn, 0).decode.cosine = SublayerFigures::UNKNOWN;
  EXPECT_NO_THROW(policy_statistics(importance, "i.json"));
  importance.stages[1].of(Sublayer::ffn, 0).prefill.cosine = SublayerFigures::UNKNOWN;
  EXPECT_THROW(policy_statistics(importance, "i.json"), UserError);
}

TEST(PolicyStatisticsOfAnImportance, WithoutWrittenTokensNothingIsKnownOfThem) {
  Importance importance = importance_example();
  importance.stages[0].written_tokens = 0;
  EXPECT_EQ(policy_statistics(importance, "i.json").decode_ms, 0);
}

}  // namespace
}  // namespace litestage::test
