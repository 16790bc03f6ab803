// What is written is read back, whatever the plan.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "litestage/error.h"
#include "litestage/plan.h"
#include "support/sample_plans.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

TEST(PlanJson, WrittenAndReadIsTheSame) {
  EXPECT_TRUE(rc::check([] {
    const Plan plan = any_plan();
    const std::string json = to_json(plan);
    const Plan read = parse_plan(json, "plan.json");
    RC_ASSERT(read == plan);
    RC_ASSERT(to_json(read) == json);
  }));
}

TEST(PlanJson, SamplePlanHasTheDocumentedForm) {
  const std::string json = to_json(sample_plan());
  EXPECT_TRUE(json.starts_with("{\n  \"schema\": 1,\n  \"model\": {\n    \"name\": ")) << json;
  EXPECT_TRUE(json.ends_with("\n}\n")) << json;
  const Json plan = Json::parse(json);
  EXPECT_EQ(plan.at("kv_reuse"), "whole");
  const Json& stage = plan.at("stages").at(0);
  EXPECT_EQ(stage.at("name"), "plan");
  EXPECT_EQ(stage.at("prefill"), Json::parse(R"({"f10": 0, "f11": {"level": 0, "scale": 1.5}})"));
  EXPECT_EQ(stage.at("decode").dump(),
            R"({"a5":{"level":0,"scale":1.04},"f10":0,"f11":0,"f12":0})");
  EXPECT_EQ(stage.at("exit").at("threshold"), 0.25);
  EXPECT_TRUE(plan.at("stages").at(1).at("exit").at("threshold").is_null());
  EXPECT_EQ(plan.at("early_answers").dump(),
            R"({"ask_first":true,"leave_at":0.75,"most_branches":2})");
  EXPECT_EQ(parse_plan(json, "plan.json"), sample_plan());
}

TEST(PlanJson, WhatWasNotMeasuredIsNull) {
  Plan plan = sample_plan();
  plan.accuracy.reset();
  plan.latency.reset();
  plan.early = {};
  const Json json = Json::parse(to_json(plan));
  EXPECT_TRUE(json.at("early_answers").is_null());
  EXPECT_TRUE(json.at("accuracy").is_null());
  EXPECT_TRUE(json.at("latency").is_null());
  EXPECT_EQ(parse_plan(to_json(plan), "plan.json"), plan);
}

TEST(PlanJson, AnIntervalWithoutEndIsNull) {
  Plan plan = sample_plan();
  plan.latency->speedup_high = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(Json::parse(to_json(plan)).at("latency").at("speedup_high").is_null());
  EXPECT_EQ(parse_plan(to_json(plan), "plan.json"), plan);
}

TEST(PlanJson, TextsFromAModelsFileAreMadeReadable) {
  Plan plan = sample_plan();
  plan.model_name = "a\x1b[31m\xff";
  const Plan read = parse_plan(to_json(plan), "plan.json");
  EXPECT_EQ(read.model_name, "a [31m\uFFFD");
}

TEST(PlanJson, ASublayerThatIsKeptMayStandThere) {
  Json json = Json::parse(to_json(sample_plan()));
  json["stages"][0]["decode"]["f20"] = 1;
  json["stages"][0]["decode"]["f12"] = {{"level", 0}, {"scale", 1}};
  EXPECT_EQ(parse_plan(json.dump(), "plan.json"), sample_plan());
}

TEST(PlanJson, SavedAndLoadedIsTheSame) {
  const TemporaryFolder folder;
  const std::string path = folder / "plan.json";
  save_plan(sample_plan(), path);
  EXPECT_EQ(load_plan(path), sample_plan());
  EXPECT_EQ(read_file(path), to_json(sample_plan()));
  EXPECT_THROW(save_plan(sample_plan(), folder / "missing" / "plan.json"), UserError);
  EXPECT_THROW(load_plan(folder / "missing.json"), UserError);
}

TEST(Plan, FindsItsStages) {
  const Plan plan = sample_plan();
  ASSERT_NE(plan.find("solve"), nullptr);
  EXPECT_EQ(plan.find("solve")->decode.to_string(), "a3");
  EXPECT_EQ(plan.find("answer"), nullptr);
}

TEST(Plan, LossIsWhatIsLostAndNotGained) {
  EXPECT_DOUBLE_EQ(sample_plan().accuracy->loss(), 2.0);
  EXPECT_EQ(MeasuredAccuracy{}.loss(), 0.0);
}

}  // namespace
}  // namespace litestage::test
