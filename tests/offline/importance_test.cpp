// What `litestage profile` writes is read back as it was, and whatever is wrong with a file is
// named by file and key.
#include "offline/importance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "support/importance_example.h"

namespace litestage::test {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::string fault_of(const std::string& json) {
  try {
    parse_importance(json, "importance.json");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Importance, IsReadBackAsItWas) {
  const Importance written = importance_example();
  const Importance read = parse_importance(to_json(written), "importance.json");
  EXPECT_EQ(to_json(read), to_json(written));
  EXPECT_EQ(read.model_hash, written.model_hash);
  EXPECT_EQ(read.questions, written.questions);
  EXPECT_EQ(read.threads, written.threads);
  EXPECT_EQ(read.head, written.head);
  ASSERT_EQ(read.stages.size(), 2U);
  EXPECT_EQ(read.stages[0].prompt_tokens, written.stages[0].prompt_tokens);
  EXPECT_EQ(read.stages[0].decode_ms, written.stages[0].decode_ms);
  const SublayerImportance& sublayer = read.stages[0].of(Sublayer::ffn, 2);
  EXPECT_EQ(sublayer.bytes, written.stages[0].of(Sublayer::ffn, 2).bytes);
  EXPECT_EQ(sublayer.prefill.cosine, written.stages[0].of(Sublayer::ffn, 2).prefill.cosine);
  EXPECT_EQ(sublayer.decode.ms_error, written.stages[0].of(Sublayer::ffn, 2).decode.ms_error);
}

TEST(Importance, WhatWasNotMeasuredStaysUnknown) {
  Importance written = importance_example();
  written.stages[1].of(Sublayer::attention, 0).decode.damage = SublayerFigures::UNKNOWN;
  written.stages[1].of(Sublayer::attention, 0).decode.cosine = SublayerFigures::UNKNOWN;
  const Importance read = parse_importance(to_json(written), "importance.json");
  EXPECT_TRUE(std::isnan(read.stages[1].of(Sublayer::attention, 0).decode.damage));
  EXPECT_TRUE(std::isnan(read.stages[1].of(Sublayer::attention, 0).decode.cosine));
  EXPECT_FALSE(std::isnan(read.stages[1].of(Sublayer::attention, 0).prefill.damage));
}

TEST(Importance, FilesFromBeforePromptsWereCountedAreRead) {
  Importance written = importance_example();
  for (StageImportance& stage : written.stages)
    stage.prompt_tokens = 0;
  const std::string json = to_json(written);
  EXPECT_EQ(json.find("prompt_tokens"), std::string::npos);
  const Importance read = parse_importance(json, "importance.json");
  EXPECT_EQ(read.stages[1].prompt_tokens, 0);
  EXPECT_EQ(to_json(read), json);
}

TEST(Importance, FilesFromBeforeTheHeadWasNamedAreRead) {
  Importance written = importance_example();
  written.head.clear();
  const std::string json = to_json(written);
  EXPECT_EQ(json.find("\"head\""), std::string::npos);
  const Importance read = parse_importance(json, "importance.json");
  EXPECT_EQ(read.head, "");
  EXPECT_EQ(to_json(read), json);
}

/// Calls `visit` with every value of a JSON tree and its path as errors write it.
void each_value(OrderedJson& value, const std::string& path,
                const std::function<void(OrderedJson&, const std::string&)>& visit) {
  if (!path.empty()) visit(value, path);
  if (value.is_object()) {
    for (auto& [key, member] : value.items())
      each_value(member, path.empty() ? key : path + "." + key, visit);
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i)
      each_value(value[i], path + "[" + std::to_string(i) + "]", visit);
  }
}

TEST(Importance, AnyValueOfTheWrongTypeIsNamedByItsKeys) {
  OrderedJson json = OrderedJson::parse(to_json(importance_example()));
  int values = 0;
  each_value(json, "", [&](OrderedJson& value, const std::string& path) {
    const OrderedJson kept = value;
    value = true;  // no value of the schema is a boolean
    const std::string fault = fault_of(json.dump());
    EXPECT_NE(fault.find("importance.json: " + path + ":"), std::string::npos)
        << path << " gave: " << fault;
    value = kept;
    ++values;
  });
  EXPECT_GT(values, 150);
}

TEST(Importance, AnyMissingOrUnknownKeyIsNamed) {
  const OrderedJson whole = OrderedJson::parse(to_json(importance_example()));
  OrderedJson json = whole;
  std::vector<std::string> pointers = {"/schema_version",
                                       "/model",
                                       "/model/hash",
                                       "/questions/set",
                                       "/stages/1/name",
                                       "/stages/0/layers/2/ffn/bytes",
                                       "/stages/0/layers/1/attention/decode/ms_error"};
  for (const std::string& pointer : pointers) {
    json = whole;
    const OrderedJson::json_pointer at(pointer);
    json.at(at.parent_pointer()).erase(at.back());
    EXPECT_NE(fault_of(json.dump()).find(at.back()), std::string::npos) << pointer;
    json = whole;
    json.at(at.parent_pointer())["surplus"] = 1;
    EXPECT_NE(fault_of(json.dump()).find("surplus"), std::string::npos) << pointer;
  }
}

TEST(Importance, ValuesOutOfRangeAreRefused) {
  const OrderedJson whole = OrderedJson::parse(to_json(importance_example()));
  const std::vector<std::pair<std::string, OrderedJson>> changes = {
      {"/schema_version", 2},
      {"/model/layers", 0},
      {"/model/layers", 4},  // the stages have 3
      {"/machine/threads", 0},
      {"/stages", OrderedJson::array()},
      {"/stages/1/name", "recall"},  // there already
      {"/stages/0/prefill_ms", -0.5},
      {"/stages/0/written_tokens", -1},
      {"/stages/0/prompt_tokens", 0},
      {"/stages/0/prompt_tokens", nullptr},
      {"/stages/0/layers/0/ffn/bytes", -1},
      {"/stages/0/layers/0/ffn/prefill/cosine", 1.01},
      {"/stages/0/layers/0/ffn/prefill/cosine", -1.01},
      {"/stages/0/layers/0/ffn/prefill/norm_ratio", -0.1},
      {"/stages/0/layers/0/ffn/prefill/damage", -1e-9},
      {"/stages/0/layers/0/ffn/decode/ms", -0.1},
      {"/stages/0/layers/0/ffn/decode/ms", nullptr},
  };
  for (const auto& [pointer, value] : changes) {
    OrderedJson json = whole;
    json.at(OrderedJson::json_pointer(pointer)) = value;
    EXPECT_NE(fault_of(json.dump()), "no error") << pointer << " " << value;
  }
  EXPECT_NE(fault_of("{").find("importance.json:1"), std::string::npos);
  EXPECT_NE(fault_of("[]"), "no error");
}

TEST(Importance, AMissingFileIsAUserError) {
  EXPECT_THROW(load_importance("no/such/importance.json"), UserError);
}

}  // namespace
}  // namespace litestage::test
