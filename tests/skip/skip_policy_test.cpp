// Policies on planted statistics: the masks are known.
#include "skip/skip_policy.h"

#include <gtest/gtest.h>

#include <bitset>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "skip/policy_kind.h"
#include "support/policy_statistics.h"

namespace litestage::test {
namespace {

constexpr int POLICY_LAYERS = 8;

std::string mask_of(const SkipPolicy& policy) {
  EXPECT_EQ(policy.settings("think").prefill, policy.settings("think").decode);
  return policy.settings("think").decode.to_string();
}

std::string fixed_mask(std::string_view text, int layers = POLICY_LAYERS) {
  const auto policy = made_policy(text, planted_statistics(layers));
  return mask_of(*policy);
}

std::string error_of(std::string_view text, const PolicyStatistics& statistics) {
  try {
    made_policy(text, statistics);
  } catch (const UserError& error) {
    return error.what();
  }
  return "none";
}

double ms_of(const SublayerMask& mask, const PolicyStatistics& statistics) {
  double sum = 0;
  for (int layer = 0; layer < statistics.layer_count(); ++layer) {
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn})
      sum += mask.skips(sublayer, layer) ? statistics.of(sublayer, layer).decode_ms : 0;
  }
  return sum;
}

/// The masks of all steps of a text as long as it may get.
std::vector<SublayerMask> masks_of(const SkipPolicy& policy, int max_tokens) {
  const auto schedule = policy.schedules()("think", max_tokens);
  std::vector<SublayerMask> masks;
  for (int written = 1; written < max_tokens; ++written)
    masks.push_back(schedule->next(written));
  return masks;
}

TEST(PoliciesWithoutAMask, AreAnotherProgramOrAnotherModel) {
  struct Known {
    std::string text;
    bool in_stages;
    PolicyModel model;
  };
  const std::vector<Known> all = {{"full", true, PolicyModel::given},
                                  {"direct", false, PolicyModel::given},
                                  {"requant:Q4_0", true, PolicyModel::requantized},
                                  {"model:smollm2-135m", true, PolicyModel::named}};
  for (const Known& known : all) {
    const PolicySpec spec = parse_policy(known.text);
    const PolicyKind& kind = policy_kind(spec.name, "");
    EXPECT_EQ(kind.source, PolicySource::nothing) << known.text;
    EXPECT_EQ(kind.in_stages, known.in_stages) << known.text;
    EXPECT_EQ(kind.model, known.model) << known.text;
    const auto policy = make_skip_policy(spec, {});
    EXPECT_EQ(policy->settings("think"), StageSettings{}) << known.text;
    EXPECT_FALSE(policy->schedules()) << known.text;
    EXPECT_EQ(policy->kv_reuse(), KvReuse::whole) << known.text;
    EXPECT_EQ(policy->early_answers(), EarlyAnswers{}) << known.text;
  }
}

TEST(Litestage, RunsEachStageAsThePlanSaysAndEndsThemWithExitAlone) {
  Plan plan;
  plan.kv_reuse = KvReuse::exact;
  plan.early.leave_at = 0.5;
  plan.stages = {{"think", {}}, {"answer", {}}};
  StageSettings& think = plan.stages[0].second;
  think.prefill = SublayerMask::parse("f2", POLICY_LAYERS);
  think.decode = SublayerMask::parse("a3,f2-4", POLICY_LAYERS);
  think.exit.max_tokens = 8;
  const auto made = [&plan](std::string_view text) {
    return make_skip_policy(parse_policy(text), {.plan = &plan});
  };
  EXPECT_EQ(policy_kind("litestage", "").source, PolicySource::plan);
  const auto masks = made("litestage:plan.json");
  EXPECT_EQ(masks->settings("think"), (StageSettings{think.prefill, think.decode, {}}));
  EXPECT_EQ(masks->settings("answer"), StageSettings{});
  EXPECT_EQ(masks->kv_reuse(), KvReuse::exact);
  EXPECT_EQ(masks->early_answers(), EarlyAnswers{});
  const auto whole = made("litestage:plan.json+exit");
  EXPECT_EQ(whole->settings("think"), think);
  EXPECT_EQ(whole->settings("answer"), StageSettings{});
  EXPECT_EQ(whole->early_answers(), plan.early);
  EXPECT_FALSE(whole->schedules());
}

TEST(LayerEarlyExit, DropsTheLastLayers) {
  EXPECT_EQ(fixed_mask("layer-early-exit:k=2"), "a7,f7");
  EXPECT_EQ(fixed_mask("layer-early-exit:k=6"), "a5-7,f5-7");
  EXPECT_EQ(fixed_mask("layer-early-exit:k=5"), "a5-7,f5-7") << "rounded up to whole layers";
  EXPECT_EQ(fixed_mask("layer-early-exit:k=14"), "a1-7,f1-7");
  // A layer is 4 of 34 ms, 11.8 %.
  EXPECT_EQ(fixed_mask("layer-early-exit:save=11"), "a7,f7");
  EXPECT_EQ(fixed_mask("layer-early-exit:save=12"), "a6-7,f6-7");
}

TEST(Unifiedskip, KeepsLayersAtEvenDistances) {
  // 0 and 7 stay; of 8 layers 7 kept lie 7/6 apart: 0 1.17 2.33 3.5 4.67 5.83 7.
  EXPECT_EQ(fixed_mask("unifiedskip:k=2"), "a3,f3");
  // 5 kept lie 7/4 apart: 0 1.75 3.5 5.25 7.
  EXPECT_EQ(fixed_mask("unifiedskip:k=6"), "a1,a3,a6,f1,f3,f6");
  EXPECT_EQ(fixed_mask("unifiedskip:k=12"), "a1-6,f1-6");
  EXPECT_EQ(fixed_mask("unifiedskip:k=4", 5), "a1,a3,f1,f3");
  EXPECT_EQ(fixed_mask("unifiedskip:save=20"), fixed_mask("unifiedskip:k=4"));
}

TEST(Random, IsTheSameForASeedAndGrows) {
  EXPECT_EQ(fixed_mask("random:k=5,seed=7"), fixed_mask("random:k=5,seed=7"));
  EXPECT_EQ(fixed_mask("random:k=5"), fixed_mask("random:k=5,seed=0"));
  // Known numbers: another machine or library must draw the same.
  EXPECT_EQ(fixed_mask("random:k=4,seed=1"), "a2-3,f2,f4");
  std::set<std::string> different;
  const PolicyStatistics statistics = planted_statistics(POLICY_LAYERS);
  for (int seed = 0; seed < 20; ++seed) {
    const std::string tail = ",seed=" + std::to_string(seed);
    SublayerMask smaller;
    for (int k = 1; k < 2 * POLICY_LAYERS; ++k) {
      const auto policy = made_policy("random:k=" + std::to_string(k) + tail, statistics);
      const SublayerMask mask = policy->settings("think").decode;
      EXPECT_EQ(mask.skipped_count(), static_cast<std::size_t>(k));
      for (int layer = 0; layer < POLICY_LAYERS; ++layer) {
        for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn})
          EXPECT_TRUE(!smaller.skips(sublayer, layer) || mask.skips(sublayer, layer));
      }
      smaller = mask;
      if (k == 5) different.insert(mask.to_string());
    }
  }
  EXPECT_GT(different.size(), 15U);
}

PolicyStatistics with_planted_cosines() {
  PolicyStatistics statistics = planted_statistics(4);
  const auto plant = [&](Sublayer sublayer, int layer, double cosine, double norm_ratio) {
    SublayerStatistics& one =
        statistics.layers[static_cast<std::size_t>(layer)][static_cast<std::size_t>(sublayer)];
    one.cosine = cosine;
    one.norm_ratio = norm_ratio;
  };
  plant(Sublayer::ffn, 2, 0.99, 1.5);
  plant(Sublayer::attention, 3, 0.98, 0.75);
  plant(Sublayer::attention, 1, 0.97, 1);
  plant(Sublayer::ffn, 1, 0.97, 1.25);
  plant(Sublayer::ffn, 0, 0.1, 9);
  return statistics;
}

TEST(Adaskip, LeavesOutTheHighestCosinesAndScales) {
  const PolicyStatistics statistics = with_planted_cosines();
  const auto mask = [&](std::string_view text) { return mask_of(*made_policy(text, statistics)); };
  EXPECT_EQ(mask("adaskip:k=1"), "f2*1.5");
  EXPECT_EQ(mask("adaskip:k=2"), "a3*0.75,f2*1.5");
  EXPECT_EQ(mask("adaskip:k=3"), "a1,a3*0.75,f2*1.5") << "of equals attention comes first";
  EXPECT_EQ(mask("adaskip:k=4"), "a1,a3*0.75,f1*1.25,f2*1.5");
  EXPECT_EQ(mask("adaskip:k=4,compensate=off"), "a1,a3,f1-2");
  EXPECT_EQ(mask("adaskip:k=7"), "a0-2,a3*0.75,f1*1.25,f2*1.5,f3");
  // 3, 4, 5 and 8 of 18 ms.
  EXPECT_EQ(mask("adaskip:save=16"), mask("adaskip:k=1"));
  EXPECT_EQ(mask("adaskip:save=17"), mask("adaskip:k=2"));
  EXPECT_EQ(mask("adaskip:save=28"), mask("adaskip:k=4"));
  EXPECT_FALSE(made_policy("adaskip:k=2,online=off", statistics)->schedules());
  EXPECT_TRUE(made_policy("adaskip:k=2", statistics)->schedules());
}

/// One step of one branch in which each watched FFN turns its input by an angle of such a cosine
/// and makes it as much longer as `ratio` says.
struct PlantedStep {
  PlantedStep(const std::vector<double>& cosines, double ratio) {
    for (const double cosine : cosines) {
      rows.push_back({1, 0});
      rows.push_back({static_cast<float>(ratio * cosine),
                      static_cast<float>(ratio * std::sqrt(1 - cosine * cosine))});
    }
    result.rows = 1;
    for (const std::vector<float>& row : rows)
      result.taps.emplace_back(row);
  }
  std::vector<std::vector<float>> rows;
  ForwardResult result;
};

TEST(Adaskip, LeavesOutFfnsThatTheFirstTokensShowToChangeLittle) {
  const PolicyStatistics statistics = with_planted_cosines();
  const auto after = [&](std::string_view text, const std::vector<double>& cosines, int steps) {
    const auto schedule = made_policy(text, statistics)->schedules()("think", 100);
    for (int step = 1; step <= steps; ++step) {
      EXPECT_EQ(schedule->next(step), made_policy(text, statistics)->settings("think").decode);
      EXPECT_EQ(schedule->taps().size(), 6U);
      schedule->observe(PlantedStep(cosines, 2).result);
    }
    const SublayerMask mask = schedule->next(steps + 1);
    EXPECT_EQ(schedule->taps().empty(), steps == 20);
    return mask.to_string();
  };
  // FFNs 0, 1 and 3 are watched; the least cosine that k=2 leaves out is 0.98.
  EXPECT_EQ(after("adaskip:k=2", {0.5, 0.985, 0.975}, 20), "a3*0.75,f1*2,f2*1.5");
  EXPECT_EQ(after("adaskip:k=2", {0.5, 0.985, 0.975}, 19), "a3*0.75,f2*1.5");
  EXPECT_EQ(after("adaskip:k=2,online=0.97", {0.5, 0.985, 0.975}, 20), "a3*0.75,f1*2,f2*1.5,f3*2");
  EXPECT_EQ(after("adaskip:k=2,online=0.4,compensate=off", {0.5, 0.3, 0.9}, 20), "a3,f0,f2-3");
  EXPECT_EQ(after("adaskip:k=2,online=1", {0.5, 0.985, 0.975}, 20), "a3*0.75,f2*1.5");
}

TEST(Skipdecode, LeavesOutMoreAndMoreLowerLayers) {
  const auto policy = made_policy("skipdecode:k=4", planted_statistics(POLICY_LAYERS));
  EXPECT_EQ(policy->settings("think"), StageSettings{}) << "the context is read by the whole model";
  // Nine steps; none at the first, four layers at the last, in a straight line of half a layer.
  std::vector<std::string> text;
  for (const SublayerMask& mask : masks_of(*policy, 10))
    text.push_back(mask.to_string());
  EXPECT_EQ(text, (std::vector<std::string>{"none", "a1,f1", "a1,f1", "a1-2,f1-2", "a1-2,f1-2",
                                            "a1-3,f1-3", "a1-3,f1-3", "a1-4,f1-4", "a1-4,f1-4"}));
}

TEST(Skipdecode, ALargeBudgetStartsWithMoreThanNone) {
  const auto policy = made_policy("skipdecode:k=7,keep=2", planted_statistics(POLICY_LAYERS));
  // Layers 2 to 6 may go: five at the end and two at the start are 3.5 on average.
  const std::vector<SublayerMask> masks = masks_of(*policy, 4);
  EXPECT_EQ(masks[0].to_string(), "a2-3,f2-3");
  EXPECT_EQ(masks[1].to_string(), "a2-5,f2-5");
  EXPECT_EQ(masks[2].to_string(), "a2-6,f2-6");
}

TEST(Skipdecode, TheBudgetHoldsOnAverageForEveryLength) {
  const PolicyStatistics statistics = planted_statistics(POLICY_LAYERS);
  for (const int max_tokens : {2, 3, 4, 7, 16, 33, 128, 501}) {
    for (int k = 1; k <= 12; ++k) {
      const auto policy = made_policy("skipdecode:k=" + std::to_string(k), statistics);
      double sublayers = 0;
      std::bitset<MAX_LAYERS> before;
      const std::vector<SublayerMask> masks = masks_of(*policy, max_tokens);
      for (const SublayerMask& mask : masks) {
        sublayers += static_cast<double>(mask.skipped_count());
        EXPECT_TRUE((before & ~mask.skipped_attention()).none()) << "a layer came back";
        EXPECT_FALSE(mask.skips(Sublayer::ffn, 0) || mask.skips(Sublayer::ffn, POLICY_LAYERS - 1));
        before = mask.skipped_attention();
      }
      const double average = sublayers / static_cast<double>(masks.size());
      EXPECT_GE(average, k) << max_tokens;
      EXPECT_LE(average, k + 1) << max_tokens;
    }
    for (const int share : {1, 10, 25, 50, 70}) {
      const auto policy = made_policy("skipdecode:save=" + std::to_string(share), statistics);
      double saved = 0;
      const std::vector<SublayerMask> masks = masks_of(*policy, max_tokens);
      for (const SublayerMask& mask : masks)
        saved += ms_of(mask, statistics) / static_cast<double>(masks.size());
      EXPECT_GE(saved, share * statistics.decode_ms / 100) << max_tokens;
      EXPECT_LE(saved, share * statistics.decode_ms / 100 + 4) << "no more than a layer's";
    }
  }
}

TEST(Budget, AShareIsTheLeastThatSavesAsMuch) {
  PolicyStatistics statistics = planted_statistics(POLICY_LAYERS);
  statistics.layers[2][1].decode_ms = -0.1;  // noise of the clock
  for (const char* name : {"adaskip", "unifiedskip", "layer-early-exit", "random"}) {
    for (const int share : {1, 5, 20, 60}) {
      const double wanted = share * statistics.decode_ms / 100;
      const std::string form = std::string(name) + ":save=" + std::to_string(share);
      const SublayerMask mask = made_policy(form, statistics)->settings("think").decode;
      EXPECT_GE(ms_of(mask, statistics), wanted) << form;
      for (std::size_t k = 1; k < mask.skipped_count(); ++k) {
        const std::string fewer = std::string(name) + ":k=" + std::to_string(k);
        const SublayerMask smaller = made_policy(fewer, statistics)->settings("think").decode;
        if (smaller == mask) continue;  // whole layers: one sublayer less is rounded up
        EXPECT_LT(ms_of(smaller, statistics), wanted) << form << " " << fewer;
      }
    }
  }
}

TEST(Budget, WhatCannotBeMetIsSaid) {
  const PolicyStatistics statistics = planted_statistics(3);
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"adaskip:k=6", "it can leave out 5 sublayers of this model, not 6"},
      {"random:k=6", "it can leave out 5 sublayers"},
      {"layer-early-exit:k=5", "it can leave out 4 sublayers"},
      {"unifiedskip:k=3", "it can leave out 2 sublayers"},
      {"skipdecode:k=3", "it can leave out 2 sublayers"},
      {"skipdecode:k=1,keep=2", "it can leave out 0 sublayers"},
      {"skipdecode:k=1,keep=512", "it can leave out 0 sublayers"},
      {"unifiedskip:save=40", "it can save 28.6 % of this model's time for a written token"},
      {"skipdecode:save=40", "it can save 28.6 %"},
  };
  for (const auto& [text, part] : bad) {
    const std::string error = error_of(text, statistics);
    EXPECT_NE(error.find(part), std::string::npos) << error;
    EXPECT_TRUE(error.starts_with("policy " + text)) << error;
  }
  PolicyStatistics untimed = statistics;
  untimed.decode_ms = 0;
  EXPECT_NE(error_of("random:save=5", untimed).find("no milliseconds"), std::string::npos);
  EXPECT_EQ(error_of("random:k=5", untimed), "none");
  for (const char* name : {"unifiedskip", "skipdecode", "layer-early-exit"})
    EXPECT_NE(error_of(std::string(name) + ":k=1", planted_statistics(1)), "none") << name;
}

}  // namespace
}  // namespace litestage::test
