// `litestage tune`, `search`, `retime` and `run --plan` as their users call them, on a tiny random
// model.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/calibration.h"
#include "support/run_program.h"
#include "support/search_verbs.h"
#include "support/temporary.h"
#include "support/tiny_model.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

TEST_F(SearchVerbs, TuneWritesAPlanThatRuns) {
  profile();
  const ProgramResult tuned = run_program(call("tune", {"--timed-questions", "2"}));
  ASSERT_EQ(tuned.exit_code, 0) << tuned.errors;
  EXPECT_NE(tuned.output.find("analyze"), std::string::npos) << tuned.output;
  for (const char* name : {"plan.json", "plan.search.json", "plan.search.html", "plan.exit.json",
                           "plan.exit.html", "plan.memo"})
    EXPECT_TRUE(std::filesystem::exists(path(name))) << name;
  EXPECT_EQ(run_program({"plan", "validate", path("plan.json"), "-m", path("tiny.gguf"),
                         "--program", path("three.toml"), "-t", "1"})
                .exit_code,
            0);

  // The plan names its model and program.
  const ProgramResult run = run_program({"run", "--plan", path("plan.json"), "-t", "1", "--file",
                                         path("six.jsonl"), "--compare-full", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  const Json plan = Json::parse(read_file(path("plan.json")));
  std::size_t lines = 0;
  for (std::size_t begin = 0; begin < run.output.size();) {
    const std::size_t end = run.output.find('\n', begin);
    const Json record = Json::parse(run.output.substr(begin, end - begin));
    EXPECT_EQ(record.at("arm"), lines % 2 == 0 ? "full" : "plan");
    if (lines % 2 == 0) {
      for (const Json& stage : record.at("stages"))
        EXPECT_EQ(stage.at("mask"), "none");
    }
    ++lines;
    begin = end + 1;
  }
  EXPECT_EQ(lines, 12U);
  EXPECT_NE(run.errors.find("times as fast"), std::string::npos) << run.errors;

  // Without a terminal both are shown one after the other, and what they took beside each other.
  const ProgramResult shown = run_program({"run", "--plan", path("plan.json"), "-t", "1", "--file",
                                           path("six.jsonl"), "--limit", "1", "--compare-full"});
  ASSERT_EQ(shown.exit_code, 0) << shown.errors;
  for (const char* part : {"\n        full\n", "\n        plan\n", "full/plan\n  reading ms"})
    EXPECT_NE(shown.output.find(part), std::string::npos) << part << "\n" << shown.output;

  // A question may stand behind the plan, and plans for other programs beside it.
  Json other = plan;
  other["program"]["name"] = "plan-solve";
  other["stages"].erase(0);
  write_file(path("other.json"), other.dump());
  const ProgramResult one =
      run_program({"run", "-t", "1", "--json", "--program", path("three.toml"), "--plan",
                   path("other.json"), "--plan", path("plan.json"), "Is it? (A) yes (B) no"});
  EXPECT_EQ(one.exit_code, 0) << one.errors;
  EXPECT_EQ(Json::parse(one.output).at("question"), "Is it?");

  const ProgramResult retimed =
      run_program({"retime", path("plan.json"), "--questions", path("six.jsonl"), "-t", "1", "-o",
                   path("again.json")});
  ASSERT_EQ(retimed.exit_code, 0) << retimed.errors;
  const Json again = Json::parse(read_file(path("again.json")));
  EXPECT_EQ(again.at("model"), plan.at("model"));
  EXPECT_TRUE(again.at("latency").is_object());

  // A plan from elsewhere comes without the memo.
  std::filesystem::remove(path("plan.memo"));
  const ProgramResult anew = run_program({"retime", path("plan.json"), "--questions",
                                          path("six.jsonl"), "-t", "1", "-o", path("anew.json")});
  ASSERT_EQ(anew.exit_code, 0) << anew.errors;
  EXPECT_NE(anew.errors.find("plan.memo is not there"), std::string::npos) << anew.errors;
  const Json timed = Json::parse(read_file(path("anew.json")));
  EXPECT_TRUE(timed.at("latency").is_object());
  EXPECT_EQ(Json::parse(read_file(path("anew.search.json"))).at("full").at("correct"),
            Json::parse(read_file(path("plan.search.json"))).at("full").at("correct"));
}

TEST_F(SearchVerbs, TuneSaysWhyItLearnsNoPreview) {
  profile();
  const std::vector<std::string> brief = {
      "--timed-questions", "0", "--no-exit", "--method", "paper", "--max-skipped", "1"};
  const auto errors_of = [&](std::vector<std::string> more) {
    more.insert(more.end(), brief.begin(), brief.end());
    const ProgramResult tuned = run_program(call("tune", more));
    EXPECT_EQ(tuned.exit_code, 0) << tuned.errors;
    return tuned.errors;
  };
  const std::string small = errors_of({});
  EXPECT_NE(small.find("head: no preview: its vocabulary, 320,"), std::string::npos) << small;
  EXPECT_EQ(errors_of({"--head", "full"}).find("head:"), std::string::npos);

  TinyOptions wide;
  wide.vocab = 4096;
  TinyModel(wide).write(folder_ / "tiny.gguf");
  profile();
  const std::string few = errors_of({});
  EXPECT_NE(few.find("tokens to check it on are too few"), std::string::npos) << few;
  EXPECT_FALSE(std::filesystem::exists(path("tiny.head.gguf")));
}

TEST_F(SearchVerbs, TuneSaysWhereTheImportanceIsAnotherHeads) {
  profile();
  const std::vector<std::string> words =
      call("tune", {"--timed-questions", "0", "--no-exit", "--method", "paper", "--max-skipped",
                    "1", "--head", "full"});
  const std::string part = path("plan.importance.json") + " was measured with the head: ";
  const ProgramResult same = run_program(words);
  EXPECT_EQ(same.exit_code, 0) << same.errors;
  EXPECT_EQ(same.errors.find(part), std::string::npos) << same.errors;

  Json importance = Json::parse(read_file(path("plan.importance.json")));
  EXPECT_EQ(importance.at("machine").at("head"), "full");
  importance["machine"]["head"] = "preview of 256 dimensions";
  write_file(path("plan.importance.json"), importance.dump());
  const ProgramResult other = run_program(words);
  EXPECT_EQ(other.exit_code, 0) << other.errors;
  EXPECT_NE(other.errors.find(part + "preview of 256 dimensions; "), std::string::npos)
      << other.errors;
}

// The question that cannot be read lies behind those that are searched on.
TEST_F(SearchVerbs, NoPreviewStopsNoTune) {
  TinyOptions wide;
  wide.vocab = 4096;
  TinyModel(wide).write(folder_ / "tiny.gguf");
  profile();
  write_file(folder_ / "torn.jsonl", questions(3) + "{\"question\": \"Why\n");
  const ProgramResult tuned = run_program(call("tune",
                                               {"--timed-questions", "0", "--no-exit", "--limit",
                                                "6", "--method", "paper", "--max-skipped", "1"},
                                               "torn.jsonl"));
  EXPECT_EQ(tuned.exit_code, 0) << tuned.errors;
  EXPECT_NE(tuned.errors.find("head: no preview: " + path("torn.jsonl") + ":7"), std::string::npos)
      << tuned.errors;
  EXPECT_TRUE(std::filesystem::exists(path("plan.json")));
}

// Whether it is worth having is a matter of time here; that it is learned once is not.
TEST_F(SearchVerbs, TuneLearnsAPreviewOnce) {
  const std::vector<std::string> words = tune_with_preview();
  const auto line_of_head = [&] {
    const ProgramResult tuned = run_program(words);
    EXPECT_EQ(tuned.exit_code, 0) << tuned.errors;
    const std::size_t begin = tuned.errors.find("head: no preview");
    return begin == std::string::npos
               ? std::string()
               : tuned.errors.substr(begin, tuned.errors.find('\n', begin) - begin);
  };
  const std::string first = line_of_head();
  EXPECT_EQ(first.find("too few"), std::string::npos) << first;
  const bool kept = std::filesystem::exists(path("tiny.head.gguf"));
  EXPECT_EQ(kept, first.empty());
  const std::string learned = kept ? read_file(path("tiny.head.gguf")) : "";
  const Json plan = Json::parse(read_file(path("plan.json")));
  EXPECT_EQ(plan.at("origin").at("head") == "full", !kept);
  // What was timed before is told again to the last digit.
  EXPECT_EQ(line_of_head(), first);
  EXPECT_EQ(kept ? read_file(path("tiny.head.gguf")) : "", learned);
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    const std::string name = entry.path().filename().string();
    EXPECT_FALSE(name.starts_with("tiny.head.gguf.")) << name << " was left over";
  }
}

TEST_F(SearchVerbs, APlanMayAnswerEarly) {
  write_file(folder_ / "three.toml", early_answer_program_text());
  profile();
  const ProgramResult tuned =
      run_program(call("tune", {"--timed-questions", "1", "--no-exit", "--json"}));
  ASSERT_EQ(tuned.exit_code, 0) << tuned.errors;
  Json plan = Json::parse(tuned.output);
  const Json search = Json::parse(read_file(path("plan.search.json")));
  const Json& early = search.at("early_answers");
  ASSERT_TRUE(early.is_object());
  const Json& chosen = early.at("candidates").at(early.at("chosen").get<std::size_t>());
  if (early.at("chosen") == 0) {
    EXPECT_TRUE(plan.at("early_answers").is_null());
  } else {
    EXPECT_EQ(plan.at("early_answers").at("leave_at"), chosen.at("leave_at"));
    EXPECT_EQ(plan.at("early_answers").at("most_branches"), chosen.at("most_branches"));
  }

  plan["early_answers"] = {{"leave_at", 0}, {"most_branches", 0}, {"ask_first", false}};
  write_file(folder_ / "early.json", plan.dump());
  const auto stages = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run", "--plan", path("early.json"), "-t",
                                      "1",   "--file", path("six.jsonl"),  "--limit",
                                      "1",   "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const ProgramResult run = run_program(words);
    EXPECT_EQ(run.exit_code, 0) << run.errors;
    return Json::parse(run.output).at("stages");
  };
  EXPECT_EQ(stages({}).back().at("stop_reason"), "sure");
  EXPECT_EQ(stages({}).size(), 2U);
  EXPECT_EQ(stages({"--leave-at", "2"}).size(), 4U) << "a flag goes before the plan";
  EXPECT_EQ(stages({"--ask-first"}).size(), 1U);
  const ProgramResult shown = run_program({"plan", "show", path("early.json")});
  EXPECT_NE(shown.output.find("leads by 0 or more"), std::string::npos) << shown.output;
}

TEST_F(SearchVerbs, APaperSearchSweepsEveryNumberOfSublayers) {
  profile();
  const ProgramResult found = run_program(
      call("search", {"--method", "paper", "--max-skipped", "2", "--no-exit", "--confirm", "0"}));
  ASSERT_EQ(found.exit_code, 0) << found.errors;
  const Json search = Json::parse(read_file(path("plan.search.json")));
  EXPECT_EQ(search.at("options").at("method"), "paper");
  for (const Json& stage : search.at("stages"))
    EXPECT_EQ(stage.at("candidates").size(), 3U);
  EXPECT_FALSE(std::filesystem::exists(path("plan.exit.json")));
}

TEST_F(SearchVerbs, AttentionIsKeptWhenAsked) {
  profile();
  const ProgramResult found =
      run_program(call("search", {"--keep-attention", "--no-exit", "--timed-questions", "0"}));
  ASSERT_EQ(found.exit_code, 0) << found.errors;
  const Json search = Json::parse(read_file(path("plan.search.json")));
  std::size_t masks = 0;
  for (const Json& stage : search.at("stages")) {
    for (const Json& candidate : stage.at("candidates")) {
      const auto mask = candidate.at("decode").get<std::string>();
      EXPECT_EQ(mask.find('a'), std::string::npos) << mask;
      masks += mask == "none" ? 0U : 1U;
    }
  }
  EXPECT_GT(masks, 0U);
}

TEST_F(SearchVerbs, SeveralSetsAreTakenInTurns) {
  write_file(folder_ / "other.jsonl", questions(1, "Tell me: "));
  profile();
  const ProgramResult found =
      run_program(call("search", {"--questions", path("other.jsonl"), "--limit", "5", "--method",
                                  "paper", "--max-skipped", "1", "--no-exit"}));
  ASSERT_EQ(found.exit_code, 0) << found.errors;
  const Json plan = Json::parse(read_file(path("plan.json")));
  EXPECT_EQ(plan.at("origin").at("question_set"), "six.jsonl, other.jsonl");
  EXPECT_EQ(plan.at("origin").at("questions").size(), 5U);

  const std::vector<std::string> retime = {"retime", "-t", "1", "--questions", path("six.jsonl")};
  std::vector<std::string> one = retime;
  one.push_back(path("plan.json"));
  expect_refused(one, "lacks questions that the plan was searched on (six.jsonl, other.jsonl)");
  std::vector<std::string> both = retime;
  both.insert(both.end(), {path("other.jsonl"), path("plan.json")});
  const ProgramResult retimed = run_program(both);
  EXPECT_EQ(retimed.exit_code, 0) << retimed.errors;
}

TEST_F(SearchVerbs, RefusesWhatCannotWork) {
  expect_refused(call("search"), "plan.importance.json");
  expect_refused({"search", "--program", path("three.toml")}, "--questions");
  expect_refused({"retime", path("no.json"), "--questions", path("six.jsonl")}, "no.json");
  expect_refused(call("search", {}, "six.jsonl", "no/folder/plan.json"), "no/folder");
  profile();
  write_file(folder_ / "open.jsonl", R"({"question": "Why?", "options": ["a", "b"]})");
  expect_refused(call("search", {}, "open.jsonl"), "no right answer");
  write_file(folder_ / "plan.memo", "some text that is no database, long enough to be looked at\n");
  expect_refused(call("search"), "plan.memo");
  // The profile of a tune uses the memo too.
  std::filesystem::remove(path("plan.importance.json"));
  expect_refused(call("tune"), "plan.memo");
  EXPECT_FALSE(std::filesystem::exists(path("plan.importance.json")));
}

TEST_F(SearchVerbs, ASearchGoesOnFromAPlan) {
  write_file(folder_ / "three.toml", early_answer_program_text());
  profile();
  const ProgramResult first =
      run_program(call("tune", {"--timed-questions", "1", "--no-exit", "--no-early-answers"}));
  ASSERT_EQ(first.exit_code, 0) << first.errors;
  write_file(folder_ / "others.jsonl", questions(4, "Again: "));
  // No importance lies beside this one: none is needed.
  const std::vector<std::string> again = call(
      "tune", {"--timed-questions", "1", "--start", path("plan.json")}, "others.jsonl", "on.json");
  const ProgramResult second = run_program(again);
  ASSERT_EQ(second.exit_code, 0) << second.errors;
  EXPECT_FALSE(std::filesystem::exists(path("on.importance.json")));
  const Json before = Json::parse(read_file(path("plan.json")));
  const Json plan = Json::parse(read_file(path("on.json")));
  EXPECT_EQ(plan.at("stages"), before.at("stages"));
  EXPECT_EQ(plan.at("origin").at("questions").size(), 6U + 8U);
  EXPECT_TRUE(Json::parse(read_file(path("on.search.json"))).at("early_answers").is_object());
  // It is timed anew like any other.
  EXPECT_EQ(run_program({"retime", path("on.json"), "--questions", path("others.jsonl"),
                         path("six.jsonl"), "-t", "1"})
                .exit_code,
            0);

  expect_refused(call("tune", {"--start", path("no.json")}), "no.json");
  for (const std::vector<std::string>& ignored : {std::vector<std::string>{"--method", "latency"},
                                                  {"--kv", "exact"},
                                                  {"--keep-attention"},
                                                  {"--no-exit"},
                                                  {"--exit-rules", "1"},
                                                  {"--candidates", "2"}}) {
    std::vector<std::string> words = {"--start", path("plan.json")};
    words.insert(words.end(), ignored.begin(), ignored.end());
    expect_refused(call("tune", words), ignored.front());
  }
  TinyOptions deep;
  deep.layers = 4;
  TinyModel(deep).write(folder_ / "tiny.gguf");
  expect_refused(again, "the plan to go on from");
}

TEST_F(SearchVerbs, APlanOfAnotherModelIsRefused) {
  profile();
  ASSERT_EQ(run_program(call("search", {"--method", "paper", "--max-skipped", "1", "--no-exit"}))
                .exit_code,
            0);
  TinyOptions deep;
  deep.layers = 4;
  TinyModel(deep).write(folder_ / "deep.gguf");
  expect_refused(
      {"run", "-m", path("deep.gguf"), "--plan", path("plan.json"), "--file", path("six.jsonl")},
      "plan.json");
}

}  // namespace
}  // namespace litestage::test
