// Costs of sublayers: planted ones are found again through a clock that tells what a mask would
// take; the real stopwatch measures something on a tiny model.
#include "offline/sublayer_cost.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "support/calibration.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

constexpr int COST_LAYERS = 8;
constexpr int FRESH = 50;
constexpr int STEPS = 4;

/// Attention of layers 0, 1 and 7 is heavier, as in files whose first and last layers have more
/// bits.
std::vector<SublayerGroup> planted_groups() {
  return {{Sublayer::attention, 300, {0, 1, 7}},
          {Sublayer::attention, 200, {2, 3, 4, 5, 6}},
          {Sublayer::ffn, 2000, {0, 1, 2, 3, 4, 5, 6, 7}}};
}

double planted_decode(Sublayer sublayer, int layer) {
  if (sublayer == Sublayer::ffn) return 0.5;
  return layer < 2 || layer == 7 ? 0.09 : 0.06;
}

/// A machine whose times follow from the mask: reading behaves as our graphs do.
class PlantedMachine : public StageStopwatch {
 public:
  /// @param spread relative standard deviation of its times
  explicit PlantedMachine(double spread) : spread_(spread) {}

  int fresh() const override { return FRESH; }
  int steps() const override { return STEPS; }

  double prefill_ms(const SublayerMask& mask) override {
    int last_attention = -1;
    for (int layer = 0; layer < COST_LAYERS; ++layer) {
      if (!mask.skips(Sublayer::attention, layer)) last_attention = layer;
    }
    double ms = 20;  // embedding and head
    for (int layer = 0; layer < COST_LAYERS; ++layer) {
      // Behind the last attention one token goes on.
      const int rows = layer < last_attention ? FRESH : 1;
      if (!mask.skips(Sublayer::attention, layer))
        ms += FRESH * planted_decode(Sublayer::attention, layer) / 3;
      if (!mask.skips(Sublayer::ffn, layer)) ms += rows * planted_decode(Sublayer::ffn, layer) / 3;
    }
    return ms * (1 + spread_ * noise_(random_));
  }

  double decode_ms(const SublayerMask& mask) override {
    double ms = 3;
    for (int layer = 0; layer < COST_LAYERS; ++layer) {
      for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
        if (!mask.skips(sublayer, layer)) ms += planted_decode(sublayer, layer);
      }
    }
    return STEPS * ms * (1 + spread_ * noise_(random_));
  }

 private:
  std::mt19937 random_{17};
  std::normal_distribution<double> noise_{0, 1};
  double spread_;
};

const Estimate& at(const std::vector<std::array<Estimate, 2>>& figures, Sublayer sublayer,
                   int layer) {
  return figures[static_cast<std::size_t>(layer)][static_cast<std::size_t>(sublayer)];
}

TEST(StageCost, PlantedCostsAreFound) {
  PlantedMachine machine(0);
  const auto cost = measure_stage_cost(planted_groups(), COST_LAYERS, machine, {});
  ASSERT_TRUE(cost);
  EXPECT_NEAR(cost->decode.value, 3 + 8 * 0.5 + 3 * 0.09 + 5 * 0.06, 1e-9);
  EXPECT_NEAR(cost->prefill.value * FRESH, machine.prefill_ms({}), 1e-9);
  for (int layer = 0; layer < COST_LAYERS; ++layer) {
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
      const double planted = planted_decode(sublayer, layer);
      EXPECT_NEAR(at(cost->decode_saved, sublayer, layer).value, planted, 1e-9) << layer;
      // The last layer's FFN reads one token of all.
      const bool one = sublayer == Sublayer::ffn && layer == COST_LAYERS - 1;
      EXPECT_NEAR(at(cost->prefill_saved, sublayer, layer).value,
                  one ? planted / FRESH : planted / 3, 1e-9)
          << layer;
    }
  }
}

TEST(StageCost, ErrorsSayHowFarFiguresAreFromTheTruth) {
  PlantedMachine machine(0.02);
  const auto cost = measure_stage_cost(planted_groups(), COST_LAYERS, machine, {});
  ASSERT_TRUE(cost);
  for (int layer = 0; layer < COST_LAYERS; ++layer) {
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
      const Estimate& found = at(cost->decode_saved, sublayer, layer);
      EXPECT_GT(found.error, 0);
      EXPECT_NEAR(found.value, planted_decode(sublayer, layer), 4 * found.error) << layer;
    }
  }
  EXPECT_LT(at(cost->decode_saved, Sublayer::ffn, 3).error, 0.02);
}

TEST(StageCost, IsNeverNegative) {
  /// Leaving anything out makes it slower.
  class Perverse : public StageStopwatch {
    int fresh() const override { return 10; }
    int steps() const override { return 2; }
    double prefill_ms(const SublayerMask& mask) override { return mask.empty() ? 100 : 101; }
    double decode_ms(const SublayerMask& mask) override { return mask.empty() ? 20 : 21; }
  } machine;
  const auto cost = measure_stage_cost(planted_groups(), COST_LAYERS, machine, {});
  ASSERT_TRUE(cost);
  for (int layer = 0; layer < COST_LAYERS; ++layer) {
    EXPECT_EQ(at(cost->prefill_saved, Sublayer::attention, layer).value, 0);
    EXPECT_EQ(at(cost->decode_saved, Sublayer::ffn, layer).value, 0);
  }
}

TEST(StageCost, ALastAttentionAloneInItsGroupGoesByBytes) {
  std::vector<SublayerGroup> groups = {{Sublayer::attention, 300, {0, 1}},
                                       {Sublayer::attention, 200, {2, 3, 4, 5, 6}},
                                       {Sublayer::attention, 1000, {7}},
                                       {Sublayer::ffn, 2000, {0, 1, 2, 3, 4, 5, 6, 7}}};
  PlantedMachine machine(0);
  const auto cost = measure_stage_cost(groups, COST_LAYERS, machine, {});
  ASSERT_TRUE(cost);
  EXPECT_NEAR(at(cost->prefill_saved, Sublayer::attention, 7).value,
              1000 * (0.09 + 0.06) / 3 / (300 + 200), 1e-9);
}

TEST(StageCost, StopsWhenToldTo) {
  PlantedMachine machine(0);
  for (const CostPhase phase : {CostPhase::prefill, CostPhase::decode}) {
    EXPECT_FALSE(measure_stage_cost(planted_groups(), COST_LAYERS, machine, {},
                                    [&](CostPhase at, double) { return at != phase; }));
  }
}

TEST(SublayerGroups, HaveEqualWork) {
  const LoadedTiny plain(TinyOptions{});
  const auto groups = groups_of_equal_work(*plain.model());
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].sublayer, Sublayer::attention);
  EXPECT_EQ(groups[0].layers, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(groups[1].sublayer, Sublayer::ffn);
  EXPECT_EQ(groups[1].bytes, plain.model()->sublayer_bytes(Sublayer::ffn, 0));

  // Layers 0 and 2 see a window, layer 1 everything: equal weights, other work.
  TinyOptions windowed{.family = "gemma3", .window = 16};
  windowed.window_layers = {1, 0, 1};
  const LoadedTiny gemma(windowed);
  const auto more = groups_of_equal_work(*gemma.model());
  ASSERT_EQ(more.size(), 3U);
  EXPECT_EQ(more[0].layers, (std::vector<int>{0, 2}));
  EXPECT_EQ(more[1].layers, (std::vector<int>{1}));
}

StageTrace costed_trace(const std::string& stage, std::size_t context, int fresh,
                        std::size_t text) {
  return {stage, 0, std::vector<Token>(context, 5), fresh, std::vector<Token>(text, 6)};
}

TEST(TypicalWork, IsTheMeanOfAStagesTraces) {
  const std::vector<StageTrace> traces = {
      costed_trace("other", 500, 400, 100), costed_trace("analyze", 100, 30, 10),
      costed_trace("analyze", 104, 10, 30), costed_trace("analyze", 120, 44, 12),
      costed_trace("analyze", 124, 12, 8)};
  const StageWork work = typical_work(traces, "analyze", 2, 1024);
  EXPECT_DOUBLE_EQ(work.fresh_tokens, 48);    // (30 + 10 + 44 + 12) / 2 questions
  EXPECT_DOUBLE_EQ(work.written_tokens, 30);  // 60 / 2
  EXPECT_EQ(work.fresh, 48);
  EXPECT_EQ(work.held, 88);          // mean of 70, 94, 76, 112
  EXPECT_EQ(work.decode_from, 120);  // mean context 112 and half of a mean text of 15
  EXPECT_EQ(work.tokens.size(), 136U);
  EXPECT_EQ(work.text, std::vector<Token>(8, 6)) << "the one behind the longest context";
}

TEST(TypicalWork, WhereNothingIsWrittenTheContextStandsForAText) {
  const StageWork work = typical_work({costed_trace("one", 30, 25, 0)}, "one", 1, 200);
  EXPECT_EQ(work.text, std::vector<Token>(30, 5));
}

TEST(TypicalWork, FitsTheRoom) {
  const StageWork work = typical_work({costed_trace("one", 300, 250, 90)}, "one", 1, 200);
  EXPECT_EQ(work.fresh, 128);
  EXPECT_LE(work.held + work.fresh, 200 - 9);
  EXPECT_LE(work.decode_from, 200 - 9);
  EXPECT_DOUBLE_EQ(work.fresh_tokens, 250);
}

// Times themselves decide nothing here; but masks of every kind must run, at the right lengths.
TEST(DecoderStopwatch, RunsEveryGroupAndKeepsTheWorkTheSame) {
  for (const TinyCase& tiny_case : plain_cases()) {
    Calibration tiny{TinyModel(tiny_case.options)};
    DecoderStopwatch stopwatch(tiny.decoder,
                               typical_work({costed_trace("one", 60, 25, 8)}, "one", 1, 1024));
    const auto cost =
        measure_stage_cost(groups_of_equal_work(*tiny.tiny.model()),
                           tiny.tiny.model()->layer_count(), stopwatch, {.max_rounds = 3});
    ASSERT_TRUE(cost) << tiny_case.name;
    EXPECT_GT(cost->prefill.value, 0);
    EXPECT_GT(cost->decode.value, 0);
    stopwatch.prefill_ms({});
    EXPECT_EQ(tiny.decoder.length(0), 60);
    stopwatch.decode_ms({});
    EXPECT_EQ(tiny.decoder.length(0), 64 + 1 + stopwatch.steps());
  }
}

}  // namespace
}  // namespace litestage::test
