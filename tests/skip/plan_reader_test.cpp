// A plan comes from a file that anyone may have edited: whatever is wrong with it is one sentence
// with file and key.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "litestage/error.h"
#include "litestage/plan.h"
#include "support/sample_plans.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;
using Pointer = Json::json_pointer;

std::string fault(const std::string& text) {
  try {
    parse_plan(text, "plan.json");
  } catch (const UserError& error) {
    return error.what();
  }
  return "none";
}

/// The sample plan with one value replaced (or added).
std::string edited(const std::string& pointer, const Json& value) {
  Json json = Json::parse(to_json(sample_plan()));
  json[Pointer(pointer)] = value;
  return json.dump();
}

struct PlanFault {
  std::string pointer;
  Json value;
  std::string message;  ///< how it begins, after "plan.json: "
};

void expect_faults(const std::vector<PlanFault>& cases) {
  for (const auto& [pointer, value, message] : cases) {
    const std::string found = fault(edited(pointer, value));
    EXPECT_TRUE(found.starts_with("plan.json: " + message))
        << pointer << " = " << value.dump() << "\n  " << found;
    EXPECT_EQ(found.find('\n'), std::string::npos);
  }
}

TEST(PlanReader, NamesEarlyAnswersThatCannotBe) {
  expect_faults({
      {"/early_answers/leave_at", 1.5,
       "early_answers.leave_at: must be a number from 0 to 1, but is 1.5"},
      {"/early_answers/most_branches", 27,
       "early_answers.most_branches: must be a whole number from 0 to 26, but is 27"},
      {"/early_answers",
       {{"leave_at", nullptr}, {"most_branches", 0}, {"ask_first", false}},
       "early_answers: asks for nothing; write null"},
      {"/early_answers", 0.5, "early_answers: must be an object"},
  });
}

TEST(PlanReader, NamesSublayersThatCannotBe) {
  expect_faults({
      {"/stages/1/decode/f40", 0,
       "stages[1].decode.f40: the model has 24 layers, numbered 0 to 23"},
      {"/stages/1/decode/f24", 0, "stages[1].decode.f24: the model has 24 layers"},
      {"/stages/1/decode/a99999999999999999999", 0,
       "stages[1].decode.a99999999999999999999: the model has 24 layers"},
      {"/stages/0/prefill/x1", 0, "stages[0].prefill.x1: names no sublayer; write a key like a3"},
      {"/stages/0/prefill/f", 0, "stages[0].prefill.f: names no sublayer"},
      {"/stages/0/prefill/f-1", 0, "stages[0].prefill.f-1: names no sublayer"},
      {"/stages/0/prefill/f01", 0, "stages[0].prefill.f01: names no sublayer"},
      {"/stages/0/prefill/f1-3", 0, "stages[0].prefill.f1-3: names no sublayer"},
      {"/stages/0/prefill/", 0, "stages[0].prefill[\"\"]: names no sublayer"},
      {"/stages/0/prefill", Json::array({"f10"}),
       "stages[0].prefill: must be an object, but is a list"},
  });
}

TEST(PlanReader, NamesLevelsAndScalesThatCannotBe) {
  expect_faults({
      {"/stages/1/decode/f3", 0.5,
       "stages[1].decode.f3: levels between 0 and 1 are not supported yet; write 0 to leave the "
       "sublayer out, or 1 to keep it whole"},
      {"/stages/1/decode/f3", 2, "stages[1].decode.f3: must be a number from 0 to 1, but is 2"},
      {"/stages/1/decode/f3", -1, "stages[1].decode.f3: must be a number from 0 to 1"},
      {"/stages/1/decode/f3", "0", "stages[1].decode.f3: must be a number, but is a text"},
      {"/stages/1/decode/f3", nullptr, "stages[1].decode.f3: must be a number, but is null"},
      {"/stages/1/decode/f3", {{"level", 0}}, "stages[1].decode.f3.scale: is missing"},
      {"/stages/1/decode/f3", {{"scale", 1}}, "stages[1].decode.f3.level: is missing"},
      {"/stages/1/decode/f3",
       {{"level", 0}, {"scale", 1}, {"bits", 2}},
       "stages[1].decode.f3.bits: there is no such key; known here are level, scale"},
      {"/stages/1/decode/f3",
       {{"level", 0.5}, {"scale", 1}},
       "stages[1].decode.f3.level: levels between 0 and 1 are not supported yet"},
      {"/stages/1/decode/f3",
       {{"level", 1}, {"scale", 2}},
       "stages[1].decode.f3.scale: a scale stands in the place of a sublayer that is left out"},
      {"/stages/1/decode/f3",
       {{"level", 0}, {"scale", 0}},
       "stages[1].decode.f3.scale: must be more than 0"},
      {"/stages/1/decode/f3",
       {{"level", 0}, {"scale", 1e-300}},
       "stages[1].decode.f3.scale: must be more than 0"},
      {"/stages/1/decode/f3",
       {{"level", 0}, {"scale", 1e300}},
       "stages[1].decode.f3.scale: must be a number from 0 to 1e+30, but is 1e+300"},
  });
}

TEST(PlanReader, AttentionLeftOutWhileReadingIsLeftOutWhileWriting) {
  EXPECT_EQ(fault(edited("/stages/1/prefill/a7", 0)),
            "plan.json: stages[1].prefill.a7: attention that is left out while reading must be "
            "left out while writing too; put \"a7\": 0 into decode as well, or take it out of "
            "prefill");
  EXPECT_EQ(fault(edited("/stages/1/prefill/f7", 0)), "none");
}

TEST(PlanReader, NamesExitRulesThatCannotBe) {
  expect_faults({
      {"/stages/0/exit/confidence", "entropy",
       "stages[0].exit.confidence: there is no confidence \"entropy\"; use one of largest_logit"},
      {"/stages/0/exit/window", 0,
       "stages[0].exit.window: must be a whole number from 1 to 32768, but is 0"},
      {"/stages/0/exit/window", 8.5, "stages[0].exit.window: must be a whole number"},
      {"/stages/0/exit/threshold", "never", "stages[0].exit.threshold: must be a number"},
      {"/stages/0/exit/threshold", 1e300, "stages[0].exit.threshold: must be a number from"},
      {"/stages/0/exit/rollback", 1, "stages[0].exit.rollback: must be true or false"},
      {"/stages/0/exit/max_tokens", -1, "stages[0].exit.max_tokens: must be a whole number"},
      {"/stages/0/exit/minimum", 1, "stages[0].exit.minimum: there is no such key"},
  });
}

TEST(PlanReader, NamesStagesThatCannotBe) {
  expect_faults({
      {"/stages/1/name", "plan", "stages[1].name: there are two stages 'plan'; keep one"},
      {"/stages/1/name", "", "stages[1].name: is empty"},
      {"/stages/1/name", 3, "stages[1].name: must be a text, but is 3"},
      {"/stages/1/name", "\u001b[2J", "stages[1].name: has control characters"},
      {"/stages", Json::array(), "stages: there is no stage"},
      {"/stages", Json::object(), "stages: must be a list, but is an object"},
      {"/stages/1", "solve", "stages[1]: must be an object, but is a text"},
      {"/stages/1/mask", "f10", "stages[1].mask: there is no such key"},
  });
}

TEST(PlanReader, NamesWhatIsWrongWithTheRest) {
  expect_faults({
      {"/model/layers", 0, "model.layers: must be a whole number from 1 to 512, but is 0"},
      {"/model/layers", 513, "model.layers: must be a whole number from 1 to 512"},
      {"/model/hash", "abc", "model.hash: must be 64 hexadecimal digits in small letters"},
      {"/program/hash", std::string(64, 'A'), "program.hash: must be 64 hexadecimal digits"},
      {"/kv_reuse", "all", "kv_reuse: cannot be \"all\"; it is exact or whole"},
      {"/accuracy", Json::object(), "accuracy.questions: is missing"},
      {"/accuracy/lost", 61, "accuracy.lost: must be a whole number from 0 to 60, but is 61"},
      {"/accuracy/gained", 41, "accuracy.gained: must be a whole number from 0 to 40"},
      {"/accuracy/plan_correct", 59, "accuracy.plan_correct: is not full_correct - lost + gained"},
      {"/accuracy/bound_level", 95, "accuracy.bound_level: must be a number from 0 to 1"},
      {"/latency/full_ms", 0, "latency.full_ms: must be more than 0"},
      {"/latency/speedup_high", 1.2, "latency.speedup_high: is below speedup_low"},
      {"/latency/speedup_low", nullptr, "latency.speedup_low: must be a number, but is null"},
      {"/origin/method", "luck", "origin.method: there is no method \"luck\"; use latency"},
      {"/origin/seed", 4294967296, "origin.seed: must be a whole number from 0 to 4294967295"},
      {"/origin/threads", 1025, "origin.threads: must be a whole number from 0 to 1024"},
      {"/origin/max_loss", -1, "origin.max_loss: must be a number from 0 to 100"},
      {"/origin/created", "yesterday", "origin.created: is no time in UTC; write it like 2026"},
      {"/origin/created", "2026-01-31T12:00:00+", "origin.created: is no time in UTC"},
      {"/origin/questions/1", "x", "origin.questions[1]: must be 16 hexadecimal digits"},
      {"/notes", "mine", "notes: there is no such key"},
      {"/stage 1", 0, "[\"stage 1\"]: there is no such key"},
  });
}

TEST(PlanReader, ALaterSchemaIsSaidBeforeAnythingElse) {
  Json json = Json::parse(to_json(sample_plan()));
  json["schema"] = 2;
  json["unheard_of"] = true;
  EXPECT_EQ(fault(json.dump()),
            "plan.json: schema: the plan has version 2 of the schema, this litestage reads up to "
            "1; install a newer litestage");
  EXPECT_TRUE(fault(edited("/schema", 0)).starts_with("plan.json: schema: must be a whole number"));
  EXPECT_TRUE(fault("{}").starts_with("plan.json: schema: is missing"));
}

TEST(PlanReader, WhatIsNoPlanAtAllIsRefused) {
  EXPECT_TRUE(fault("").starts_with("plan.json:1:1: no valid JSON"));
  EXPECT_TRUE(fault("stages: 3").starts_with("plan.json:1:1: no valid JSON"));
  EXPECT_EQ(fault("[]"), "plan.json: must be an object, but is a list");
  EXPECT_EQ(fault("null"), "plan.json: must be an object, but is null");
  EXPECT_EQ(fault("{\"schema\": 1e999}"), "plan.json: schema: the number is too large");
  EXPECT_TRUE(fault("{\"schema\": NaN}").starts_with("plan.json:1:12: no valid JSON"));
  EXPECT_EQ(fault("{\"schema\": 1, \"schema\": 1}"),
            "plan.json: schema: the key stands there twice; keep one");
  const std::string deep(100000, '[');
  EXPECT_NE(fault("{\"stages\": " + deep).find("is nested deeper than"), std::string::npos);
}

/// Pointers to all values below one.
void collect(const Json& json, const Pointer& at, std::vector<Pointer>& all) {
  if (!at.empty()) all.push_back(at);
  if (json.is_object()) {
    for (const auto& [key, value] : json.items())
      collect(value, at / key, all);
  } else if (json.is_array()) {
    for (std::size_t i = 0; i < json.size(); ++i)
      collect(json[i], at / i, all);
  }
}

bool is_sublayer(const Pointer& pointer) {
  const Pointer mask = pointer.parent_pointer();
  if (mask.empty()) return false;
  const std::string parent = mask.back();
  return parent == "prefill" || parent == "decode";
}

TEST(PlanReader, EveryKeyIsNeededAndNamedWhenItIsMissing) {
  const Json whole = Json::parse(to_json(sample_plan()));
  std::vector<Pointer> all;
  collect(whole, Pointer(), all);
  int tried = 0;
  for (const Pointer& pointer : all) {
    if (!whole[pointer.parent_pointer()].is_object() || is_sublayer(pointer)) continue;
    Json json = whole;
    json[pointer.parent_pointer()].erase(pointer.back());
    if (pointer == Pointer("/origin/head")) {  // plans from before heads were noted lack it
      EXPECT_EQ(parse_plan(json.dump(), "plan.json").origin.head, "");
      continue;
    }
    const std::string found = fault(json.dump());
    EXPECT_TRUE(found.ends_with(": is missing")) << found;
    EXPECT_NE(found.find(pointer.back()), std::string::npos) << found;
    ++tried;
  }
  EXPECT_GT(tried, 50);
}

TEST(PlanReader, AnyValueInAnyPlaceIsReadOrRefused) {
  const Json whole = Json::parse(to_json(sample_plan()));
  std::vector<Pointer> all;
  collect(whole, Pointer(), all);
  const std::vector<Json> values = {nullptr,
                                    true,
                                    0,
                                    1,
                                    -1,
                                    0.5,
                                    1e300,
                                    -1e300,
                                    18446744073709551615U,
                                    "",
                                    "f10",
                                    "\u0000\u0007",
                                    Json::array(),
                                    Json::object(),
                                    Json::array({0}),
                                    {{"level", 0}}};
  for (const Pointer& pointer : all) {
    for (const Json& value : values) {
      Json json = whole;
      json[pointer] = value;
      try {
        const Plan plan = parse_plan(json.dump(), "plan.json");
        EXPECT_EQ(parse_plan(to_json(plan), "again"), plan) << pointer << " " << value;
      } catch (const UserError& error) {
        EXPECT_TRUE(error.where().starts_with("plan.json: ")) << error.what();
      }
    }
  }
}

TEST(PlanReader, DamagedTextIsReadOrRefused) {
  const std::string whole = to_json(sample_plan());
  EXPECT_TRUE(rc::check([&] {
    std::string text = whole;
    const auto at = static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(text.size())));
    const auto byte = *rc::gen::element('"', '{', '}', '[', ']', ',', ':', '0', '9', '-', 'e', '\\',
                                        '\0', '\xff', 'f');
    switch (*rc::gen::inRange(0, 3)) {
      case 0:
        text[at] = byte;
        break;
      case 1:
        text.insert(at, 1, byte);
        break;
      default:
        text.resize(at);
        break;
    }
    try {
      const Plan plan = parse_plan(text, "plan.json");
      RC_ASSERT(parse_plan(to_json(plan), "again") == plan);
    } catch (const UserError& error) {
      RC_ASSERT(error.where().starts_with("plan.json"));
    }
  }));
}

}  // namespace
}  // namespace litestage::test
