#include "offline/search_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "litestage/error.h"
#include "support/planted_world.h"
#include "support/search_example.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

TEST(SearchJson, WhatIsWrittenIsReadBack) {
  const SearchFile file = example_search();
  const std::string text = to_json(file);
  const SearchFile read = parse_search(text, "search.json");
  EXPECT_EQ(to_json(read), text);
  EXPECT_EQ(read.plan, file.plan);
  EXPECT_EQ(read.result.chosen, file.result.chosen);
  EXPECT_EQ(read.result.accuracy, file.result.accuracy);
  EXPECT_EQ(read.result.choices, file.result.choices);
  EXPECT_EQ(read.early, file.early);
  ASSERT_EQ(read.result.sweeps.size(), file.result.sweeps.size());
  for (std::size_t i = 0; i < read.result.sweeps.size(); ++i) {
    EXPECT_EQ(read.result.sweeps[i].choice, file.result.sweeps[i].choice);
    EXPECT_EQ(read.result.sweeps[i].verdict, file.result.sweeps[i].verdict);
    EXPECT_EQ(read.result.sweeps[i].time.has_value(), file.result.sweeps[i].time.has_value());
  }
  ASSERT_EQ(read.stages.size(), file.stages.size());
  for (std::size_t stage = 0; stage < read.stages.size(); ++stage) {
    ASSERT_EQ(read.stages[stage].candidates.size(), file.stages[stage].candidates.size());
    for (std::size_t i = 0; i < read.stages[stage].candidates.size(); ++i) {
      EXPECT_EQ(read.stages[stage].candidates[i].settings,
                file.stages[stage].candidates[i].settings);
    }
  }
}

TEST(SearchJson, WhatWasNotMeasuredStaysUnknown) {
  const SearchFile read = parse_search(to_json(example_search()), "search.json");
  EXPECT_TRUE(std::isnan(read.stages[0].candidates[1].damage));
  EXPECT_EQ(read.stages[1].candidates[0].damage, 0);
}

TEST(SearchJson, AFileOnDiskIsTheSame) {
  const TemporaryFolder folder;
  const std::string path = (folder / "search.json").string();
  save_search(example_search(), path);
  EXPECT_EQ(to_json(load_search(path)), to_json(example_search()));
}

TEST(SearchJson, AReadSearchCanChooseAgain) {
  SearchFile file = parse_search(to_json(example_search()), "search.json");
  std::map<Choice, TimedChoice> times;
  for (const Choice& choice : accepted_choices(file.result))
    times[choice] = {choice == file.result.chosen ? 900.0 : 500.0, 1, {1, 1, 1}};
  times[Choice(3, 0)].ms = 1000;
  const Choice before = file.result.chosen;
  repick(file.result, times);
  EXPECT_NE(file.result.chosen, before);
  const auto settings = file.settings(file.result.chosen);
  ASSERT_EQ(settings.size(), 3U);
  EXPECT_EQ(settings[1].first, "analyze");
  EXPECT_EQ(to_json(parse_search(to_json(file), "x")), to_json(file));
}

/// One fault put into a good file, and where the error must point.
struct SearchFault {
  const char* name;
  std::function<void(Json&)> put;
  const char* where;
};

class SearchJsonFaults : public testing::TestWithParam<SearchFault> {};

TEST_P(SearchJsonFaults, AreNamedWithTheirKey) {
  Json json = Json::parse(to_json(example_search()));
  GetParam().put(json);
  try {
    parse_search(json.dump(), "search.json");
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), std::string("search.json") + GetParam().where) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Each, SearchJsonFaults,
    testing::Values(
        SearchFault{"Schema", [](Json& json) { json["schema"] = 2; }, ": schema"},
        SearchFault{"MissingKey", [](Json& json) { json.erase("totals"); }, ": totals"},
        SearchFault{"UnknownKey", [](Json& json) { json["sweeps"][1]["x"] = 1; }, ": sweeps[1].x"},
        SearchFault{"Method", [](Json& json) { json["options"]["method"] = "best"; },
                    ": options.method"},
        SearchFault{"Level", [](Json& json) { json["options"]["bound_level"] = 0.5; },
                    ": options.bound_level"},
        SearchFault{"Mask",
                    [](Json& json) { json["stages"][0]["candidates"][1]["decode"] = "f99"; },
                    ": stages[0].candidates[1].decode"},
        SearchFault{"NoCandidates",
                    [](Json& json) { json["stages"][2]["candidates"] = Json::array(); },
                    ": stages[2].candidates"},
        SearchFault{"OtherStages", [](Json& json) { json["stages"][0]["name"] = "think"; },
                    ": stages"},
        SearchFault{"UnknownStage", [](Json& json) { json["sweeps"][0]["stage"] = "think"; },
                    ": sweeps[0].stage"},
        SearchFault{"ChoiceOutOfRange", [](Json& json) { json["sweeps"][0]["choice"][1] = 99; },
                    ": sweeps[0].choice[1]"},
        SearchFault{"ShortChoice", [](Json& json) { json["chosen"]["choice"] = {0}; },
                    ": chosen.choice"},
        SearchFault{"CandidateAtOdds", [](Json& json) { json["sweeps"][0]["candidate"] = 1; },
                    ": sweeps[0].candidate"},
        SearchFault{"TooManyCorrect", [](Json& json) { json["sweeps"][0]["correct"] = 1000; },
                    ": sweeps[0].correct"},
        SearchFault{"CountsAtOdds", [](Json& json) { json["chosen"]["lost"] = 9; },
                    ": chosen.correct"},
        SearchFault{"Verdict", [](Json& json) { json["sweeps"][0]["verdict"] = "good"; },
                    ": sweeps[0].verdict"},
        SearchFault{"AcceptedUntimed", [](Json& json) { json["sweeps"][0]["time"] = nullptr; },
                    ": sweeps[0].time"},
        SearchFault{"AnsweredButNothingWritten",
                    [](Json& json) { json["sweeps"][0]["written"] = Json::array(); },
                    ": sweeps[0].written"},
        SearchFault{"NoChoices", [](Json& json) { json["totals"]["choices"] = 0; },
                    ": totals.choices"},
        SearchFault{"EarlyChoiceOutOfRange",
                    [](Json& json) { json["early_answers"]["chosen"] = 2; },
                    ": early_answers.chosen"},
        SearchFault{"EarlyMargin",
                    [](Json& json) { json["early_answers"]["candidates"][1]["leave_at"] = 1.5; },
                    ": early_answers.candidates[1].leave_at"},
        SearchFault{"NegativeTime", [](Json& json) { json["full"]["time"]["ms"] = -1; },
                    ": full.time.ms"},
        SearchFault{"ShortTimes", [](Json& json) { json["full"]["time"]["stage_ms"] = {1}; },
                    ": full.time.stage_ms"},
        SearchFault{"Exit", [](Json& json) { json["stages"][0]["candidates"][0]["exit"] = 3; },
                    ": stages[0].candidates[0].exit"},
        SearchFault{"Plan", [](Json& json) { json["plan"].erase("model"); }, ": plan: model"}),
    [](const auto& sample) { return sample.param.name; });

TEST(SearchJson, WhatIsNoJsonIsNamedWithItsPlace) {
  EXPECT_THROW(parse_search("{", "search.json"), UserError);
  EXPECT_THROW(parse_search("[]", "search.json"), UserError);
}

}  // namespace
}  // namespace litestage::test
