#include "eval/eval_record.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "litestage/error.h"
#include "support/eval_example.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

TEST(EvalRecords, WhatIsWrittenIsReadBack) {
  const EvalRun run = eval_example();
  const EvalRun read = parse_eval_run(eval_file(run), "x.jsonl");
  EXPECT_EQ(eval_file(read), eval_file(run));
  EXPECT_EQ(read.header.arms, run.header.arms);
  EXPECT_EQ(read.header.seed, 7U);
  ASSERT_EQ(read.records.size(), run.records.size());
  const EvalRecord& record = read.records[9];
  EXPECT_EQ(record.arm, 1);
  EXPECT_EQ(record.question, "Which?\nOf these.");
  EXPECT_EQ(record.options[1].text, "two");
  EXPECT_EQ(record.total_ms, 520);
  ASSERT_EQ(record.stages.size(), 3U);
  EXPECT_EQ(record.stages[2].option, "B");
  EXPECT_EQ(record.stages[2].text, "line one\nline \"two\"\t\u00e9");
  EXPECT_EQ(record.stages[0].reused_tokens, 12);
  EXPECT_EQ(record.stages[0].stop_reason, StopReason::low_confidence);
  EXPECT_EQ(record.stages[0].mask, "f1-2");
  EXPECT_EQ(record.stages[0].prefill_mask, "none");
}

TEST(EvalRecords, NoPredictionIsNull) {
  const EvalRun run = eval_example();
  const Json json = Json::parse(to_json_line(run.records[10]));
  EXPECT_TRUE(json.at("prediction").is_null());
  EXPECT_EQ(parse_eval_run(eval_file(run), "x").records[10].prediction, "");
}

TEST(EvalRecords, NoTimeIsNull) {
  EvalRun run = eval_example();
  run.records[10].total_ms = 0;
  EXPECT_TRUE(Json::parse(to_json_line(run.records[10])).at("total_ms").is_null());
  const EvalRun again = parse_eval_run(eval_file(run), "x");
  EXPECT_FALSE(again.records[10].timed());
  EXPECT_TRUE(again.records[9].timed());
}

TEST(EvalRecords, NamesWithControlCharactersAndBrokenBytesStayReadable) {
  EvalRun run = eval_example();
  run.header.arms[0].model_name = "a\x1b[31m\nb";
  run.records[0].stages[0].text = "broken \xff byte";
  const EvalRun read = parse_eval_run(eval_file(run), "x");
  EXPECT_EQ(read.header.arms[0].model_name, "a [31m b");
  EXPECT_EQ(read.records[0].stages[0].text, "broken \uFFFD byte");
}

TEST(EvalRecords, AFileCutAnywhereHasItsWholeLines) {
  const std::string text = eval_file(eval_example());
  const std::size_t header = text.find('\n') + 1;
  for (std::size_t length = header; length <= text.size(); length += 97) {
    const std::string cut = text.substr(0, length);
    const auto lines = std::count(cut.begin(), cut.end(), '\n');
    EXPECT_EQ(parse_eval_run(cut, "x").records.size(), static_cast<std::size_t>(lines - 1));
  }
  EXPECT_THROW(parse_eval_run(text.substr(0, header - 1), "x"), UserError);
  EXPECT_THROW(parse_eval_run("", "x"), UserError);
}

TEST(EvalRecords, AFileOnDiskIsTheSame) {
  const TemporaryFolder folder;
  write_file(folder / "x.jsonl", eval_file(eval_example()));
  EXPECT_EQ(load_eval_run((folder / "x.jsonl").string()).records.size(), 12U);
  EXPECT_THROW(load_eval_run((folder / "no.jsonl").string()), UserError);
}

/// One fault put into one line (0: the header) of a good file, and where the error must point.
struct Fault {
  const char* name;
  std::size_t line;
  std::function<void(Json&)> put;
  const char* where;
};

class EvalRecordFaults : public testing::TestWithParam<Fault> {};

TEST_P(EvalRecordFaults, AreNamedWithLineAndKey) {
  std::istringstream in(eval_file(eval_example()));
  std::string text;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line); ++number) {
    Json json = Json::parse(line);
    if (number == GetParam().line) GetParam().put(json);
    text += json.dump() + "\n";
  }
  try {
    parse_eval_run(text, "x.jsonl");
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), std::string("x.jsonl") + GetParam().where) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Each, EvalRecordFaults,
    testing::Values(
        Fault{"Version", 0, [](Json& json) { json["schema_version"] = 2; }, ":1: schema_version"},
        Fault{"NoArm", 0, [](Json& json) { json["arms"] = Json::array(); }, ":1: arms"},
        Fault{"SameArm", 0, [](Json& json) { json["arms"][1]["policy"] = "full"; }, ":1: arms[1]"},
        Fault{"Seed", 0, [](Json& json) { json["seed"] = -1; }, ":1: seed"},
        Fault{"Threads", 0, [](Json& json) { json["machine"]["threads"] = "2"; },
              ":1: machine.threads"},
        Fault{"HeaderKey", 0, [](Json& json) { json["arms"][0]["mood"] = 1; }, ":1: arms[0].mood"},
        Fault{"Arm", 3, [](Json& json) { json["arm"] = 4; }, ":4: arm"},
        Fault{"Twice", 2, [](Json& json) { json["arm"] = 0; }, ":3"},
        Fault{"Missing", 2, [](Json& json) { json.erase("gold"); }, ":3: gold"},
        Fault{"Unknown", 2, [](Json& json) { json["x"] = 1; }, ":3: x"},
        Fault{"Letters", 2,
              [](Json& json) {
                json["options"] = {{"A", "a"}, {"C", "c"}};
              },
              ":3: options.C"},
        Fault{"Correct", 2, [](Json& json) { json["correct"] = 1; }, ":3: correct"},
        Fault{"NoTime", 2, [](Json& json) { json["total_ms"] = 0; }, ":3: total_ms"},
        Fault{"Reason", 2, [](Json& json) { json["stages"][1]["stop_reason"] = "bored"; },
              ":3: stages[1].stop_reason"},
        Fault{"Reused", 2, [](Json& json) { json["stages"][1]["reused_tokens"] = 41; },
              ":3: stages[1].reused_tokens"},
        Fault{"NoObject", 2, [](Json& json) { json = Json::array(); }, ":3"}),
    [](const testing::TestParamInfo<Fault>& fault) { return fault.param.name; });

TEST(EvalRecords, BadJsonIsNamedWithLineAndColumn) {
  try {
    parse_eval_run(to_json_line(eval_example().header) + "\n  {\"arm\": }\n", "x.jsonl");
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "x.jsonl:2:11");
  }
}

TEST(StopReasons, NamesAreReadBack) {
  for (int value = 0; value <= static_cast<int>(StopReason::interrupted); ++value) {
    const auto reason = static_cast<StopReason>(value);
    EXPECT_EQ(parse_stop_reason(to_string(reason)), reason);
  }
  EXPECT_EQ(parse_stop_reason("bored"), std::nullopt);
}

}  // namespace
}  // namespace litestage::test
