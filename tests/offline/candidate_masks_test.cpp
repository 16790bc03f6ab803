#include "offline/candidate_masks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "support/decoder_tools.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

constexpr int CANDIDATE_LAYERS = 12;

StageImportance stage(const std::string& name, double fresh, double written) {
  StageImportance stage{.name = name,
                        .fresh_tokens = fresh,
                        .written_tokens = written,
                        .prefill_ms = 7,
                        .decode_ms = 20,
                        .layers = {}};
  stage.layers.resize(CANDIDATE_LAYERS);
  for (int layer = 0; layer < CANDIDATE_LAYERS; ++layer) {
    auto& [attention, ffn] = stage.layers[static_cast<std::size_t>(layer)];
    const double depth = layer / static_cast<double>(CANDIDATE_LAYERS);
    attention.prefill = {.cosine = 0.8, .damage = 0.004, .ms = 0.05};
    attention.decode = {.cosine = 0.8, .damage = 0.004, .ms = 0.1};
    ffn.prefill = {.cosine = 0.7, .damage = 0.04 + 0.02 * depth, .ms = 0.4};
    ffn.decode = {.cosine = 0.7, .damage = 0.05 + 0.02 * depth, .ms = 1.0};
  }
  return stage;
}

Importance importance(std::vector<StageImportance> stages) {
  Importance importance;
  importance.stages = std::move(stages);
  return importance;
}

/// Damage that grows faster than the sum of those alone; attention does little.
struct PlantedMeter {
  std::set<std::string> seen;
  int measurements = 0;

  MeasureDamage measure() {
    return [this](const std::string& name, const StageSettings& settings) {
      ++measurements;
      EXPECT_TRUE(
          seen.insert(name + settings.prefill.to_string() + "/" + settings.decode.to_string())
              .second)
          << "measured twice";
      EXPECT_TRUE(
          (settings.prefill.skipped_attention() & ~settings.decode.skipped_attention()).none());
      return std::optional(damage(settings));
    };
  }

  static double damage(const StageSettings& settings) {
    double sum = 0;
    for (int layer = 0; layer < CANDIDATE_LAYERS; ++layer) {
      for (const SublayerMask* mask : {&settings.prefill, &settings.decode}) {
        if (mask->skips(Sublayer::attention, layer)) sum += 0.004;
        if (mask->skips(Sublayer::ffn, layer)) sum += 0.05 + 0.002 * layer;
      }
    }
    return sum * (1 + sum);
  }
};

TEST(PredictedMs, CountsWhatIsLeftOutByPhase) {
  const StageImportance known = stage("recall", 100, 60);
  StageSettings settings;
  EXPECT_DOUBLE_EQ(predicted_ms(known, settings), 100 * 7 + 60 * 20);
  settings.prefill = SublayerMask::parse("f0-1", CANDIDATE_LAYERS);
  settings.decode = SublayerMask::parse("a3,f0-2", CANDIDATE_LAYERS);
  EXPECT_NEAR(predicted_ms(known, settings), 100 * (7 - 0.8) + 60 * (20 - 3.1), 1e-9);
  StageImportance cheap = known;
  cheap.decode_ms = 2;
  EXPECT_NEAR(predicted_ms(cheap, settings), 100 * (7 - 0.8), 1e-9) << "never below nothing";
}

TEST(CosineCandidates, LeaveOutTheHighestCosinesOfAllStages) {
  Importance known = importance({stage("recall", 100, 60), stage("answer", 20, 20)});
  known.stages[0].prompt_tokens = 100;
  known.stages[1].prompt_tokens = 300;
  const auto set = [&](std::size_t index, int layer, Sublayer sublayer, double cosine) {
    known.stages[index]
        .layers[static_cast<std::size_t>(layer)][static_cast<std::size_t>(sublayer)]
        .prefill.cosine = cosine;
  };
  set(0, 5, Sublayer::ffn, 0.99);  // 0.25 * 0.99 + 0.75 * 0.9: second
  set(1, 5, Sublayer::ffn, 0.90);
  set(0, 2, Sublayer::ffn, 0.90);  // 0.25 * 0.9 + 0.75 * 0.99: first
  set(1, 2, Sublayer::ffn, 0.99);
  const auto found = cosine_candidates(known, 4);
  ASSERT_EQ(found.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(found[i].stage, known.stages[i].name);
    const auto& candidates = found[i].candidates;
    ASSERT_EQ(candidates.size(), 5U);
    EXPECT_EQ(candidates[0].settings, StageSettings{});
    EXPECT_EQ(candidates[0].damage, 0);
    EXPECT_EQ(candidates[1].settings.prefill.to_string(), "f2");
    EXPECT_EQ(candidates[2].settings.prefill.to_string(), "f2,f5");
    // Ties: the lowest layers, attention first (0.8 beats the FFNs' 0.7 anyway).
    EXPECT_EQ(candidates[4].settings.prefill, SublayerMask::parse("f2,f5,a0,a1", CANDIDATE_LAYERS));
    EXPECT_EQ(candidates[1].label, "1 sublayer");
    EXPECT_EQ(candidates[4].label, "4 sublayers");
    for (const Candidate& candidate : candidates) {
      EXPECT_EQ(candidate.settings.prefill, candidate.settings.decode);
      EXPECT_DOUBLE_EQ(candidate.predicted_ms, predicted_ms(known.stages[i], candidate.settings));
    }
    EXPECT_TRUE(std::isnan(candidates[1].damage));
  }
}

TEST(CosineCandidates, TiesGoToTheLowerLayerAttentionFirst) {
  Importance known = importance({stage("recall", 100, 60)});
  for (auto& layer : known.stages[0].layers) {
    for (auto& sublayer : layer)
      sublayer.prefill.cosine = 0.9;
  }
  const auto found = cosine_candidates(known, 1000);
  ASSERT_EQ(found[0].candidates.size(), 1 + 2 * CANDIDATE_LAYERS);
  EXPECT_EQ(found[0].candidates[1].settings.decode.to_string(), "a0");
  EXPECT_EQ(found[0].candidates[3].settings.decode,
            SublayerMask::parse("a0,f0,a1", CANDIDATE_LAYERS));
}

void expect_in_order(const std::vector<Candidate>& candidates) {
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    EXPECT_LT(candidates[i].predicted_ms, candidates[i - 1].predicted_ms);
    EXPECT_GT(candidates[i].damage, candidates[i - 1].damage) << "beaten by another one";
  }
}

TEST(LatencyCandidates, AreUnbeatenMeasuredAndFew) {
  const Importance known = importance({stage("recall", 100, 60), stage("analyze", 200, 200)});
  PlantedMeter meter;
  const LatencyCandidateOptions options;
  const auto found = latency_candidates(known, meter.measure(), options);
  ASSERT_EQ(found.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& candidates = found[i].candidates;
    EXPECT_EQ(found[i].stage, known.stages[i].name);
    EXPECT_EQ(candidates[0].settings, StageSettings{});
    EXPECT_EQ(candidates[0].label, "nothing left out");
    EXPECT_EQ(static_cast<int>(candidates.size()), 1 + options.count);
    expect_in_order(candidates);
    for (const Candidate& candidate : candidates) {
      EXPECT_LE(candidate.damage, options.most_damage);
      EXPECT_DOUBLE_EQ(candidate.damage, PlantedMeter::damage(candidate.settings));
      EXPECT_DOUBLE_EQ(candidate.predicted_ms, predicted_ms(known.stages[i], candidate.settings));
    }
  }
}

TEST(LatencyCandidates, StayWithinTheBoundOfMeasurements) {
  const Importance known = importance({stage("recall", 100, 60)});
  for (const int remeasured : {1, 3, 6}) {
    PlantedMeter meter;
    LatencyCandidateOptions options;
    options.most_damage = 1e9;
    options.remeasured = remeasured;
    latency_candidates(known, meter.measure(), options);
    EXPECT_LE(meter.measurements, 5 * 16 * (remeasured + 1));
    EXPECT_GT(meter.measurements, 0);
  }
}

TEST(LatencyCandidates, AChainThatIsBeatenIsNotFollowed) {
  // Left out of reading, nothing does damage: what leaves out of writing alone is beaten at once.
  const Importance known = importance({stage("recall", 100, 60)});
  std::map<std::string, int> measured;
  LatencyCandidateOptions options;
  options.attention = false;
  const MeasureDamage measure = [](const std::string&, const StageSettings& settings) {
    return std::optional(PlantedMeter::damage({{}, settings.decode, {}}));
  };
  latency_candidates(known, measure, options, [&](const std::string& what) {
    ++measured[what.substr(0, what.find(" without"))];
    return true;
  });
  EXPECT_LE(measured["recall: decode"], 2 * (options.remeasured + 1));
  EXPECT_GT(measured["recall: decode"], 0);
  // This one is followed to its end: 7 FFNs of 0.4 ms are 35 % of 7 ms.
  EXPECT_GE(measured["recall: prefill"], 7);
}

TEST(LatencyCandidates, ThinningKeepsTheFastestAndSpreadsTheRest) {
  const Importance known = importance({stage("recall", 100, 60)});
  LatencyCandidateOptions many;
  many.count = 1000;
  PlantedMeter first;
  const auto all = latency_candidates(known, first.measure(), many)[0].candidates;
  ASSERT_GT(all.size(), 6U);
  expect_in_order(all);
  LatencyCandidateOptions three;
  three.count = 3;
  PlantedMeter second;
  const auto few = latency_candidates(known, second.measure(), three)[0].candidates;
  ASSERT_EQ(few.size(), 4U);
  expect_in_order(few);
  EXPECT_EQ(few.back().settings, all.back().settings);
  const double step = (all.front().predicted_ms - all.back().predicted_ms) / 3;
  for (std::size_t i = 0; i < few.size(); ++i) {
    EXPECT_NEAR(few[i].predicted_ms, all.front().predicted_ms - step * static_cast<double>(i),
                step / 2);
  }
}

TEST(LatencyCandidates, AttentionIsKeptWhenItMustBe) {
  const Importance known = importance({stage("recall", 100, 60)});
  const auto attention_of = [&](bool allowed) {
    PlantedMeter meter;
    LatencyCandidateOptions options;
    options.attention = allowed;
    options.count = 1000;
    std::size_t count = 0;
    const auto found = latency_candidates(known, meter.measure(), options);
    for (const Candidate& candidate : found[0].candidates) {
      const std::size_t attention = (candidate.settings.prefill.skipped_attention() |
                                     candidate.settings.decode.skipped_attention())
                                        .count();
      EXPECT_EQ(attention > 0, candidate.label.ends_with(" attention")) << candidate.label;
      count += attention;
    }
    return count;
  };
  EXPECT_EQ(attention_of(false), 0U);
  EXPECT_GT(attention_of(true), 0U) << "here it is the cheaper one for a millisecond";
}

TEST(LatencyCandidates, AChoiceByLogitsHasOnlyReadingLeftOut) {
  const Importance known = importance({stage("choose", 100, 0)});
  PlantedMeter meter;
  const auto found = latency_candidates(known, meter.measure(), {});
  ASSERT_GT(found[0].candidates.size(), 1U);
  for (const Candidate& candidate : found[0].candidates) {
    EXPECT_TRUE(candidate.settings.decode.empty());
    EXPECT_TRUE(candidate.settings.prefill.skipped_attention().none());
  }
}

TEST(LatencyCandidates, LabelsSayWhatIsSavedWhere) {
  const Importance known = importance({stage("recall", 1, 60)});
  PlantedMeter meter;
  LatencyCandidateOptions options;
  options.attention = false;
  options.count = 1000;
  const auto found = latency_candidates(known, meter.measure(), options)[0].candidates;
  ASSERT_GT(found.size(), 2U);
  EXPECT_EQ(found[1].label, "decode -5 %, attention kept");
  EXPECT_EQ(found[2].label, "decode -10 %, attention kept");
}

TEST(LatencyCandidates, AStageWithNothingToMeasureHasTheFirstAlone) {
  const Importance known = importance({stage("recall", 100, 60)});
  const auto found = latency_candidates(
      known, [](const std::string&, const StageSettings&) { return std::optional(NAN); }, {});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].candidates.size(), 1U);
}

TEST(LatencyCandidates, AStopGivesNothing) {
  const Importance known = importance({stage("recall", 100, 60), stage("answer", 100, 60)});
  std::vector<std::string> told;
  const auto tell = [&](int most) {
    told.clear();
    PlantedMeter meter;
    return latency_candidates(known, meter.measure(), {}, [&](const std::string& what) {
      told.push_back(what);
      return static_cast<int>(told.size()) < most;
    });
  };
  EXPECT_EQ(tell(100000).size(), 2U);
  EXPECT_TRUE(told[0].starts_with("recall: prefill and decode without f")) << told[0];
  const int all = static_cast<int>(told.size());
  EXPECT_TRUE(tell(all).empty());
  EXPECT_TRUE(tell(1).empty());
  EXPECT_EQ(told.size(), 1U);
}

TEST(LatencyCandidates, FindWhatDoesNothingInAModel) {
  TinyOptions tiny;
  tiny.layers = 4;
  TinyModel model(tiny);
  model.silence_ffn(1);
  model.silence_ffn(3);
  const LoadedTiny loaded(model);
  std::vector<StageTrace> traces;
  for (int question = 0; question < 2; ++question) {
    const auto seed = static_cast<std::uint32_t>(question);
    traces.push_back({.stage = "recall",
                      .question = question,
                      .context = random_tokens(20, 320, seed),
                      .fresh = 8,
                      .text = random_tokens(12, 320, 10 + seed)});
  }
  DecoderOptions options = small_decoder();
  Decoder decoder(loaded.model(), options);
  DamageMeter meter(decoder, traces);
  const auto measure = [&](const std::string& of,
                           const StageSettings& settings) -> std::optional<double> {
    const Damage damage = meter.measure(of, settings);
    if (damage.tokens == 0) return std::nullopt;
    return damage.kl;
  };
  StageImportance known = stage("recall", 8, 12);
  known.layers.resize(4);
  known.decode_ms = 4;
  known.prefill_ms = 2;
  const auto found = latency_candidates(importance({known}), measure, {});
  ASSERT_EQ(found.size(), 1U);
  // Alone, by its figures, f0 does least damage; measured anew the silent ones win.
  const auto silent = StageSettings::with_mask(SublayerMask::parse("f1,f3", 4));
  bool is_there = false;
  for (const Candidate& candidate : found[0].candidates) {
    if (candidate.settings != silent) continue;
    is_there = true;
    EXPECT_LT(candidate.damage, 1e-5);
  }
  EXPECT_TRUE(is_there);

  decoder.set_interrupt([] { return true; });
  EXPECT_TRUE(latency_candidates(importance({known}), measure, {}).empty());
}

TEST(LatencyCandidates, WhatIsReadAgainCountsOnceChainsAreGrown) {
  const Importance known = importance({stage("recall", 100, 60)});
  PlantedMeter free;
  const auto without = latency_candidates(known, free.measure(), {.count = 1000});
  PlantedMeter counted;
  const auto skips_attention = [](const Candidate& candidate) {
    return candidate.settings.decode.skipped_attention().any();
  };
  constexpr double AGAIN = 5;
  const auto with =
      latency_candidates(known, counted.measure(), {.count = 1000}, {},
                         [&](const std::string& name, const StageSettings& settings) {
                           EXPECT_EQ(name, "recall");
                           return settings.decode.skipped_attention().any() ? AGAIN : 0.0;
                         });
  EXPECT_EQ(counted.seen, free.seen) << "the chains are the same";
  ASSERT_TRUE(std::ranges::any_of(without[0].candidates, skips_attention));
  for (const Candidate& candidate : with[0].candidates) {
    EXPECT_DOUBLE_EQ(candidate.predicted_ms, predicted_ms(known.stages[0], candidate.settings) +
                                                 (skips_attention(candidate) ? AGAIN : 0));
  }
  PlantedMeter dear;
  const auto none =
      latency_candidates(known, dear.measure(), {.count = 1000}, {},
                         [](const std::string&, const StageSettings&) { return 1e9; });
  EXPECT_EQ(none[0].candidates.size(), 1U) << "nothing is faster than the full model";
}

}  // namespace
}  // namespace litestage::test
