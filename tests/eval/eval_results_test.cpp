#include "eval/eval_results.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/eval_example.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

TEST(EvalResultsJson, HasTheShapeOfLmEvaluationHarness) {
  const EvalRun run = eval_example();
  const Json json = Json::parse(results_json(run.header, summarize(run)));
  ASSERT_EQ(json.at("policies").size(), 2U);
  const Json& arm = json.at("policies").at("adaskip:k=2");
  EXPECT_EQ(arm.at("results").size(), 2U);
  EXPECT_EQ(arm.at("results").at("one").at("alias"), "one");
  EXPECT_NEAR(arm.at("results").at("one").at("acc,none"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(arm.at("results").at("one").at("acc_stderr,none"), 1.0 / 3, 1e-12);
  EXPECT_EQ(arm.at("n-samples").at("one").at("tuned_on"), 1);
  EXPECT_EQ(arm.at("n-samples").at("two").at("unanswered"), 1);
  EXPECT_EQ(arm.at("latency").at("one").at("mean_ms"), 510);
  EXPECT_TRUE(arm.at("latency").at("one").at("p90_ms").is_null());  // of three questions
  EXPECT_EQ(arm.at("latency").at("one").at("stages").at(1).at("name"), "analyze");
  EXPECT_EQ(arm.at("against_full").at("one").at("lost"), 1);
  EXPECT_FALSE(json.at("policies").at("full").contains("against_full"));
  EXPECT_EQ(json.at("seed"), 7);
}

TEST(EvalResultsJson, WhatCannotBeIsNull) {
  EvalRun run = eval_example();
  for (EvalRecord& record : run.records) {
    for (EvalStage& stage : record.stages)
      stage.tokens = record.arm == 1 ? 0 : stage.tokens;
  }
  const Json json = Json::parse(results_json(run.header, summarize(run)));
  const Json& one = json.at("policies").at("adaskip:k=2").at("against_full").at("one");
  EXPECT_TRUE(one.at("gain_per_token").is_null());
  EXPECT_TRUE(one.at("gain_reading").is_number());
}

}  // namespace
}  // namespace litestage::test
