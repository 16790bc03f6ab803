// What the flags of `litestage run` and its plan make of a pipeline.
#include "app/run_plan.h"

#include <gtest/gtest.h>

#include "support/decoder_tools.h"

namespace litestage::test {
namespace {

class RunPlan : public testing::Test {
 protected:
  RunPlan() {
    plan_.kv_reuse = KvReuse::whole;
    StageSettings settings =
        StageSettings::with_mask(SublayerMask::parse("f1", tiny_.model()->layer_count()));
    settings.exit.max_tokens = 3;
    plan_.stages = {{"think", settings}};
  }

  PipelineOptions with_plan(const app::RunSettings& settings) const {
    return app::pipeline_options(settings, &plan_, *tiny_.model());
  }

  LoadedTiny tiny_{TinyOptions{}};
  Plan plan_;
};

TEST_F(RunPlan, SaysWhatNoFlagSays) {
  const PipelineOptions options = with_plan({});
  EXPECT_EQ(options.kv_reuse, KvReuse::whole);
  EXPECT_TRUE(options.keep_kv);
  EXPECT_FALSE(options.branches_in_turn);
  EXPECT_EQ(options.stages.at("think"), plan_.stages[0].second);
}

TEST_F(RunPlan, TheFlagSaysWhichKvIsUsed) {
  app::RunSettings settings;
  settings.kv = app::StageKv::exact;
  EXPECT_EQ(with_plan(settings).kv_reuse, KvReuse::exact);
  EXPECT_TRUE(with_plan(settings).keep_kv);
  settings.kv = app::StageKv::none;
  EXPECT_FALSE(with_plan(settings).keep_kv);
  settings.kv = app::StageKv::whole;
  const PipelineOptions unplanned = app::pipeline_options(settings, nullptr, *tiny_.model());
  EXPECT_EQ(unplanned.kv_reuse, KvReuse::whole);
  EXPECT_TRUE(unplanned.keep_kv);
}

TEST_F(RunPlan, BranchesAreWrittenInTurnWhereTheFlagSaysSo) {
  app::RunSettings settings;
  settings.branches_in_turn = true;
  EXPECT_TRUE(with_plan(settings).branches_in_turn);
}

TEST_F(RunPlan, MasksAndExitRulesAreSwitchedOffByThemselves) {
  const StageSettings& planned = plan_.stages[0].second;
  app::RunSettings no_rules;
  no_rules.exit_rules = false;
  const StageSettings masks = with_plan(no_rules).stages.at("think");
  EXPECT_EQ(masks.exit, ExitRule{});
  EXPECT_EQ(masks.prefill, planned.prefill);
  EXPECT_EQ(masks.decode, planned.decode);
  app::RunSettings no_masks;
  no_masks.mask = "none";
  const StageSettings rules = with_plan(no_masks).stages.at("think");
  EXPECT_EQ(rules.exit, planned.exit);
  EXPECT_EQ(rules.prefill, SublayerMask());
  EXPECT_EQ(rules.decode, SublayerMask());
}

}  // namespace
}  // namespace litestage::test
