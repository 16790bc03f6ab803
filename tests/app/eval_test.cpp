// `litestage eval` as its users call it, on a tiny random model and on the small real one.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "app/eval_run.h"
#include "app/eval_view.h"
#include "eval/eval_record.h"
#include "litestage/dataset.h"
#include "litestage/plan.h"
#include "support/calibration.h"
#include "support/eval_example.h"
#include "support/paths.h"
#include "support/real_models.h"
#include "support/run_program.h"
#include "support/temporary.h"
#include "support/tiny_model.h"
#include "support/verb_test.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

/// Starts an evaluation and sends it a signal when its file has so many answers.
/// @return the status it ended with
int stop_underway(const std::vector<std::string>& words, const std::string& records, int answers,
                  int signal, const std::string& errors) {
  return signal_program(words, errors, signal, [&] {
    if (!std::filesystem::exists(records)) return false;
    const std::string text = read_file(records);
    return std::count(text.begin(), text.end(), '\n') > answers;
  });
}

class EvalVerb : public testing::Test {
 protected:
  EvalVerb() {
    write_model("tiny.gguf", 1);
    write_file(folder_ / "three.toml", std::string(calibration_program()));
    write_file(folder_ / "set.jsonl", questions(6));
  }

  void write_model(const std::string& name, std::uint32_t seed) const {
    TinyOptions options;
    options.seed = seed;
    TinyModel tiny(options);
    gguf_set_val_str(tiny.keys(), "tokenizer.chat_template",
                     "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}");
    tiny.write(folder_ / name);
  }

  /// One question, asked in so many ways.
  static std::string questions(int ways) {
    std::string lines;
    for (int i = 0; i < ways; ++i) {
      const Question question = calibration_questions()[static_cast<std::size_t>(i % 2)];
      Json json = {{"question", question.text + std::string(static_cast<std::size_t>(i), '!')},
                   {"options", {question.options[0].text, question.options[1].text}},
                   {"answer", question.gold}};
      lines += json.dump() + "\n";
    }
    return lines;
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::vector<std::string> call(const std::vector<std::string>& policies,
                                const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"eval",
                                      "-m",
                                      path("tiny.gguf"),
                                      "-t",
                                      "1",
                                      "-c",
                                      "700",
                                      "--tasks",
                                      "set:" + path("set.jsonl"),
                                      "--program",
                                      path("three.toml"),
                                      "-o",
                                      path("x.jsonl")};
    for (const std::string& policy : policies)
      words.insert(words.end(), {"--policy", policy});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  ProgramResult run(const std::vector<std::string>& words) const {
    return run_program(words, {{"LITESTAGE_CACHE", path("cache")}});
  }

  void expect_refused(const std::vector<std::string>& words, const std::string& part) const {
    const ProgramResult result = run(words);
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_EQ(result.output, "");
    EXPECT_NE(result.errors.find(part), std::string::npos) << result.errors;
  }

  /// A plan for the tiny model and the three stages, tuned on two of the six questions.
  void write_plan() const {
    const auto model = Model::load(folder_ / "tiny.gguf");
    const Program program = load_program(path("three.toml"));
    Plan plan;
    plan.model_name = "tiny";
    plan.model_hash = model_hash(*model);
    plan.layers = model->layer_count();
    plan.program = path("three.toml");
    plan.program_hash = program.hash;
    plan.kv_reuse = KvReuse::whole;
    for (const Stage& stage : program.stages)
      plan.stages.emplace_back(stage.name, StageSettings{});
    plan.stages[0].second.decode.skip(Sublayer::ffn, 1);
    plan.stages[0].second.exit.max_tokens = 2;
    DatasetOptions first_two;
    first_two.limit = 2;
    for (const Question& question : load_questions(path("set.jsonl"), first_two))
      plan.origin.questions.push_back(question_hash(question));
    save_plan(plan, path("plan.json"));
  }

  void profile() const {
    const ProgramResult result =
        run({"profile", "-m", path("tiny.gguf"), "--program", path("three.toml"), "--questions",
             path("set.jsonl"), "--limit", "1", "-t", "1", "--timing-seconds", "1", "-o",
             path("importance.json")});
    ASSERT_EQ(result.exit_code, 0) << result.errors;
  }

  EvalRun records(const std::string& name = "x.jsonl") const { return load_eval_run(path(name)); }

  TemporaryFolder folder_;
};

std::set<std::string> ids_of(const EvalRun& run) {
  std::set<std::string> ids;
  for (const EvalRecord& record : run.records)
    ids.insert(record.id);
  return ids;
}

TEST_F(EvalVerb, ComparesPoliciesOnAllQuestions) {
  write_plan();
  profile();
  write_model("other.gguf", 2);
  const std::string plan = "litestage:" + path("plan.json");
  const std::vector<std::string> policies = {
      "full",         "direct",       plan,
      plan + "+exit", "adaskip:k=1",  "random:k=2,seed=3",
      "full+exit",    "requant:Q8_0", "model:" + path("other.gguf"),
  };
  const ProgramResult result = run(
      call(policies, {"--importance", path("importance.json"), "--exit-plan", path("plan.json")}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  for (const std::string& policy : policies)
    EXPECT_NE(result.output.find("\n" + policy), std::string::npos) << result.output;

  const EvalRun run = records();
  EXPECT_EQ(run.records.size(), 54U);
  ASSERT_EQ(run.header.arms.size(), 9U);
  for (std::size_t i = 0; i < policies.size(); ++i)
    EXPECT_EQ(run.header.arms[i].policy, policies[i]);
  EXPECT_EQ(run.header.arms[1].program, "direct");
  EXPECT_EQ(run.header.arms[0].model_hash, run.header.arms[4].model_hash);
  EXPECT_NE(run.header.arms[0].model_hash, run.header.arms[7].model_hash);
  EXPECT_EQ(run.header.arms[8].model_name, "other");
  EXPECT_EQ(run.header.arms[8].model_hash, model_hash(*Model::load(folder_ / "other.gguf")));
  for (const EvalRecord& record : run.records) {
    const EvalStage& first = record.stages.at(0);
    const bool masked = record.arm == 2 || record.arm == 3;
    const bool ends = record.arm == 3 || record.arm == 6;
    if (record.arm == 1) continue;
    EXPECT_EQ(first.mask == "f1", masked) << record.arm << first.mask;
    EXPECT_EQ(first.tokens <= 2, ends) << record.arm;
    EXPECT_EQ(first.mask != "none", masked || record.arm == 4 || record.arm == 5) << first.mask;
  }

  const Json results = Json::parse(read_file(path("x.results.json")));
  for (const std::string& policy : policies) {
    const Json& one = results.at("policies").at(policy);
    EXPECT_TRUE(one.at("results").at("set").at("acc,none").is_number());
    EXPECT_TRUE(one.at("results").at("set").at("acc_stderr,none").is_number());
    EXPECT_EQ(one.at("n-samples").at("set").at("effective"), 6);
    EXPECT_GT(one.at("latency").at("set").at("mean_ms"), 0);
    EXPECT_EQ(one.contains("against_full"), policy != "full");
  }
}

TEST_F(EvalVerb, QuestionsBehindTheTimedOnesAreForAccuracyAlone) {
  profile();
  const ProgramResult result =
      run(call({"full", "adaskip:k=1", "skipdecode:k=1", "direct", "requant:Q8_0"},
               {"--importance", path("importance.json"), "--timed", "2", "--parallel", "3"}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_NE(result.output.find("6 questions (2 timed)"), std::string::npos) << result.output;
  EXPECT_EQ(records().records.size(), 30U);
  EXPECT_EQ(std::ranges::count_if(records().records, &EvalRecord::timed), 10);
  const Json results = Json::parse(read_file(path("x.results.json")));
  const Json& full = results.at("policies").at("full");
  EXPECT_EQ(full.at("n-samples").at("set").at("effective"), 6);
  EXPECT_EQ(full.at("n-samples").at("set").at("timed"), 2);
  const ProgramResult page = run({"report", path("x.jsonl"), "-o", path("x.html")});
  EXPECT_EQ(page.exit_code, 0) << page.errors;
}

TEST_F(EvalVerb, SaysLoudlyWhatWasTunedOnTheseQuestions) {
  write_plan();
  const std::string plan = "litestage:" + path("plan.json") + "+exit";
  const ProgramResult result = run(call({"full", plan}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_NE(result.errors.find("warning: 2 of the 6 questions of set"), std::string::npos)
      << result.errors;
  EXPECT_NE(result.output.find("was tuned on 2 of its 6 questions"), std::string::npos)
      << result.output;
  EXPECT_TRUE(records().header.arms[0].tuned_on.empty());
  EXPECT_EQ(records().header.arms[1].tuned_on.size(), 2U);
  const Json results = Json::parse(read_file(path("x.results.json")));
  EXPECT_EQ(results.at("policies").at(plan).at("n-samples").at("set").at("tuned_on"), 2);
}

TEST_F(EvalVerb, JsonGoesToStdoutAndIsTheFile) {
  const ProgramResult result = run(call({"full"}, {"--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, read_file(path("x.results.json")));
}

TEST_F(EvalVerb, AKilledRunGoesOn) {
  write_file(folder_ / "set.jsonl", questions(40));
  const std::vector<std::string> words =
      call({"full", "full+exit"}, {"--exit-plan", path("plan.json")});
  write_plan();
  bool killed = false;
  for (int attempt = 0; attempt < 5 && !killed; ++attempt) {
    std::filesystem::remove(path("x.jsonl"));
    killed = WIFSIGNALED(stop_underway(words, path("x.jsonl"), 7, SIGKILL, path("errors.txt")));
  }
  ASSERT_TRUE(killed) << "it was always done before it could be killed";
  const EvalRun half = records();
  EXPECT_FALSE(std::filesystem::exists(path("x.results.json")));
  const ProgramResult result = run(words);
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const EvalRun whole = records();  // throws for a question twice
  EXPECT_EQ(whole.records.size(), 80U);
  EXPECT_EQ(ids_of(whole).size(), 40U);
  for (std::size_t i = 0; i < half.records.size(); ++i)
    EXPECT_EQ(to_json_line(whole.records[i]), to_json_line(half.records[i]));
}

TEST_F(EvalVerb, ControlCEndsWithItsOwnCodeAndGoesOn) {
  write_file(folder_ / "set.jsonl", questions(40));
  const std::vector<std::string> words = call({"full"});
  int status = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    for (const char* name : {"x.jsonl", "x.results.json"})
      std::filesystem::remove(path(name));
    status = stop_underway(words, path("x.jsonl"), 3, SIGINT, path("errors.txt"));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 130) break;
  }
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 130);
  const std::string before = read_file(path("x.jsonl"));
  EXPECT_TRUE(before.ends_with('\n')) << "half an answer was left";
  const std::size_t answered = records().records.size();
  EXPECT_LT(answered, 40U);
  expect_last_words("litestage: stopped; " + std::to_string(answered) + " answers are in " +
                        path("x.jsonl") + ", and the same command goes on from there\n",
                    path("errors.txt"));
  EXPECT_FALSE(std::filesystem::exists(path("x.results.json")));
  EXPECT_EQ(run(words).exit_code, 0);
  EXPECT_TRUE(read_file(path("x.jsonl")).starts_with(before)) << "an answer was given anew";
  EXPECT_EQ(records().records.size(), 40U);
}

TEST_F(EvalVerb, PartsOfASetNeverShareAQuestion) {
  write_file(folder_ / "set.jsonl", questions(30));
  const auto with = [&](const std::vector<std::string>& flags, const std::string& output) {
    std::vector<std::string> words = call({"full"}, flags);
    *(std::find(words.begin(), words.end(), "-o") + 1) = path(output);
    const ProgramResult result = run(words);
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return ids_of(records(output));
  };
  const std::set<std::string> low = with({"--split", "0:0.5"}, "low.jsonl");
  std::set<std::string> high = with({"--split", "0.5:1"}, "high.jsonl");
  EXPECT_GT(low.size(), 4U);
  EXPECT_GT(high.size(), 4U);
  for (const std::string& id : low)
    EXPECT_FALSE(high.contains(id)) << id;
  expect_refused(call({"full"}, {"--except", path("low.jsonl"), "--except", path("high.jsonl")}),
                 "--except over 30");
  EXPECT_EQ(low.size() + high.size(), 30U);
  EXPECT_EQ(with({"--limit", "2", "--offset", "3"}, "some.jsonl"),
            (std::set<std::string>{"set-4", "set-5"}));
  std::vector<std::string> other = call({"full"}, {"-fa", "off", "--except", path("some.jsonl")});
  *(std::find(other.begin(), other.end(), "-o") + 1) = path("other.jsonl");
  expect_refused(other, "full on set had other settings there");
  // What one machine has answered another passes over: together they have each question once.
  EXPECT_EQ(with({"--limit", "4", "--offset", "1", "--except", path("some.jsonl")}, "rest.jsonl"),
            (std::set<std::string>{"set-2", "set-3", "set-6", "set-7"}));
  const ProgramResult joined =
      run_program({"report", path("some.jsonl"), path("rest.jsonl"), "--markdown", path("both.md"),
                   "-o", path("both.html")});
  EXPECT_EQ(joined.exit_code, 0) << joined.errors;
  EXPECT_NE(read_file(path("both.md")).find("| 6 |"), std::string::npos)
      << read_file(path("both.md"));
  const std::set<std::string> drawn = with({"--limit", "5", "--shuffle"}, "drawn.jsonl");
  EXPECT_EQ(drawn.size(), 5U);
  EXPECT_NE(drawn, (std::set<std::string>{"set-1", "set-2", "set-3", "set-4", "set-5"}));
}

TEST_F(EvalVerb, MoreQuestionsAndOtherFlags) {
  ASSERT_EQ(run(call({"full"}, {"--limit", "2"})).exit_code, 0);
  ASSERT_EQ(run(call({"full"}, {"--limit", "4"})).exit_code, 0);
  EXPECT_EQ(records().records.size(), 4U);
  expect_refused(call({"full"}, {"--seed", "9"}), "the seed is 0 there and 9 here");
  expect_refused(call({"direct"}), "full on set is only there");
  expect_refused(call({"full"}, {"-fa", "off"}), "settings of full on set");
}

TEST_F(EvalVerb, KnownTasksAreReadInTheirFormat) {
  write_file(
      folder_ / "obqa.jsonl",
      R"({"id": "1", "question": {"stem": "Which is warm?", "choices": [)"
      R"({"text": "snow", "label": "A"}, {"text": "sun", "label": "B"}]}, "answerKey": "B"})");
  const auto with_tasks = [&](const std::string& tasks) {
    std::vector<std::string> words = call({"full"});
    *(std::find(words.begin(), words.end(), "--tasks") + 1) = tasks;
    return words;
  };
  ASSERT_EQ(
      run(with_tasks("openbookqa:" + path("obqa.jsonl") + ",set:" + path("set.jsonl"))).exit_code,
      0);
  EXPECT_EQ(records().records.size(), 7U);
  EXPECT_EQ(records().records[0].gold, "B");
  expect_refused(with_tasks("gsm8k:" + path("set.jsonl")), "published format");
  expect_refused(with_tasks("openbookqa"), "NAME:PATH");
  expect_refused(with_tasks("a b:" + path("set.jsonl")), "NAME:PATH");
  expect_refused(with_tasks("x:no.jsonl"), "no.jsonl");
  const std::string set = path("set.jsonl");
  expect_refused(with_tasks("x:" + set + ",x:" + set), "twice");
}

TEST_F(EvalVerb, RefusesWhatCannotWork) {
  write_plan();
  expect_refused(call({"fullest"}), "fullest");
  expect_refused(call({"full", "full"}), "twice");
  expect_refused(call({"adaskip:k=1"}), "litestage profile");
  expect_refused(call({"full+exit"}), "--exit-plan");
  expect_refused(call({"litestage:no.json"}), "no.json");
  expect_refused(call({"model:no-such-model"}), "no-such-model");
  expect_refused(call({"full"}, {"--split", "0.5:0.2"}), "--split");
  expect_refused(call({"full"}, {"--offset", "6"}), "no question is left");
  expect_refused(call({"full"}, {"--except", path("set.jsonl")}), "set.jsonl");
  expect_refused(call({"full"}, {"--except", path("x.jsonl")}), "this run's own file");
  expect_refused(call({"full"}, {"--program", "other=direct"}), "other");
  expect_refused(call({"litestage:" + path("plan.json")}, {"--program", "set=direct"}),
                 "no task runs");
  std::vector<std::string> narrow = call({"full"});
  *(std::find(narrow.begin(), narrow.end(), "-c") + 1) = "40";
  expect_refused(narrow, "the context holds 40");
  expect_refused(call({"full"}, {"--ubatch-size", "0"}), "--ubatch-size");
  EXPECT_FALSE(std::filesystem::exists(path("x.jsonl")));
  write_file(folder_ / "set.jsonl", R"({"question": "Why?", "options": ["a", "b"]})");
  expect_refused(call({"full"}), "no right answer");
  write_file(folder_ / "set.jsonl",
             questions(2) + R"({"question": "How many?", "answer": 3})" + "\n");
  expect_refused(call({"full"}), "make two tasks");
}

TEST(EvalView, AccuraciesSoFarFitTheirRoom) {
  EvalRun run = eval_example();
  EXPECT_EQ(app::accuracies_text(run, 80), "two: full 33 +- 19, adaskip:k=2 67 +- 19 %");
  EXPECT_EQ(app::accuracies_text(run, 20), "two: full 33 +- 19 ...");
  run.records.clear();
  EXPECT_EQ(app::accuracies_text(run, 80), "eval");
}

TEST(EvalView, TablesSayWhatWasFoundAndWhatWasNot) {
  const std::string text = app::format_results(summarize(eval_example()), app::Style(false));
  EXPECT_NE(text.find("one · 3 questions · recall-analyze-answer · Tiny"), std::string::npos);
  EXPECT_NE(text.find("-33.3 ("), std::string::npos) << text;
  EXPECT_NE(text.find("2.16 ("), std::string::npos) << text;
  EXPECT_NE(text.find("! adaskip:k=2 was tuned on 1 of its 3 questions of one"), std::string::npos);
  EXPECT_EQ(text.find("nan"), std::string::npos) << text;
}

TEST(EvalView, OneTimedQuestionHasNoInterval) {
  EvalRun run = eval_example();
  std::erase_if(run.records, [](const EvalRecord& record) { return record.id != "q0"; });
  const std::string text = app::format_results(summarize(run), app::Style(false));
  EXPECT_NE(text.find("  2.00  "), std::string::npos) << text;
  EXPECT_EQ(text.find("2.00 ("), std::string::npos) << text;
}

TEST(EvalResults, LieBesideTheRecords) {
  EXPECT_EQ(app::results_path("runs/x.jsonl"), "runs/x.results.json");
  EXPECT_EQ(app::results_path("x"), "x.results.json");
}

TEST(RealEval, AnInterruptedRunGoesOn) {
  const auto model = find_real_model(SMALL_MODEL);
  if (!model && !real_models_are_required()) GTEST_SKIP() << "the small model is not here";
  ASSERT_TRUE(model);
  const TemporaryFolder folder;
  const std::string records = (folder / "x.jsonl").string();
  const std::vector<std::string> words = {
      "eval",
      "-m",
      model->string(),
      "--tasks",
      "demo:" + (source_dir() / "questions/demo.jsonl").string(),
      "--limit",
      "3",
      "--policy",
      "full",
      "--policy",
      "direct",
      "-o",
      records};
  const int status = stop_underway(words, records, 2, SIGINT, (folder / "errors.txt").string());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  const std::size_t before = load_eval_run(records).records.size();
  EXPECT_GE(before, 2U);
  EXPECT_LT(before, 6U);
  const ProgramResult result = run_program(words);
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const EvalRun run = load_eval_run(records);
  EXPECT_EQ(run.records.size(), 6U);
  for (const EvalRecord& record : run.records) {
    // The system text was read before, in no question's time.
    EXPECT_GT(record.stages.at(0).reused_tokens, 0);
    const bool direct = record.arm == 1;
    EXPECT_EQ(record.stages.size() == 1, direct);
  }
  EXPECT_NE(result.output.find("times as fast"), std::string::npos) << result.output;
}

}  // namespace
}  // namespace litestage::test
