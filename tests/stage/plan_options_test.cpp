// A plan becomes a pipeline's options in one way, and an evaluation's policy in another.
#include "stage/plan_options.h"

#include <gtest/gtest.h>

#include "skip/skip_policy.h"
#include "support/sample_plans.h"

namespace litestage::test {
namespace {

TEST(PlanOptions, AreWhatThePolicyOfAnEvaluationSays) {
  const Plan plan = sample_plan();
  PipelineOptions options;
  apply_plan(plan, options);
  const auto policy = make_skip_policy(parse_policy("litestage:plan.json+exit"), {.plan = &plan});
  ASSERT_EQ(options.stages.size(), plan.stages.size());
  for (const auto& [stage, settings] : plan.stages) {
    EXPECT_EQ(options.stages.at(stage), settings) << stage;
    EXPECT_EQ(policy->settings(stage), settings) << stage;
  }
  EXPECT_EQ(options.settings, policy->settings("no stage of the plan"));
  EXPECT_EQ(options.kv_reuse, plan.kv_reuse);
  EXPECT_EQ(policy->kv_reuse(), plan.kv_reuse);
  EXPECT_EQ(options.early, plan.early);
  EXPECT_EQ(policy->early_answers(), plan.early);
  EXPECT_FALSE(options.schedules);
  EXPECT_FALSE(policy->schedules());
}

TEST(PlanOptions, ReplaceThoseOfItsStagesAlone) {
  Plan plan;
  plan.stages = {{"think", {}}};
  PipelineOptions options;
  options.early.leave_at = 0.5;
  StageSettings budget;
  budget.exit.max_tokens = 3;
  options.stages = {{"think", budget}, {"answer", budget}};
  apply_plan(plan, options);
  EXPECT_EQ(options.stages.at("think"), StageSettings{});
  EXPECT_EQ(options.stages.at("answer"), budget);
  EXPECT_EQ(options.early, EarlyAnswers{}) << "the plan has none";
}

}  // namespace
}  // namespace litestage::test
