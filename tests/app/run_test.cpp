// `litestage run` as its users call it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "litestage/model.h"
#include "litestage/plan.h"
#include "litestage/program.h"
#include "support/calibration.h"
#include "support/paths.h"
#include "support/pseudo_terminal.h"
#include "support/run_program.h"
#include "support/small_model.h"
#include "support/temporary.h"
#include "support/tiny_model.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

/// Everything that can be checked without a real model: a tiny one is enough to get past loading.
class Run : public testing::Test {
 protected:
  Run() {
    TinyModel(TinyOptions{}).write(folder_ / "tiny.gguf");
    model_ = folder_ / "tiny.gguf";
    write_file(folder_ / "short.toml",
               "format = \"plain\"\n[[stage]]\nname = \"answer\"\nprompt = "
               "\"{{question}}\\n{{options}}\\nAnswer:\"\noutput = \"choice\"\n");
    program_ = folder_ / "short.toml";
  }

  ProgramResult run(std::vector<std::string> flags) const {
    flags.insert(flags.begin(), {"run", "-m", model_.string(), "-t", "1"});
    return run_program(flags);
  }

  /// A plan for the tiny model and the short program.
  void write_plan() const {
    const auto model = Model::load(model_);
    const Program program = load_program(program_.string());
    Plan plan;
    plan.model_name = model->name();
    plan.model_hash = model_hash(*model);
    plan.layers = model->layer_count();
    plan.program = program_.string();
    plan.program_hash = program.hash;
    plan.stages = {
        {"answer", StageSettings::with_mask(SublayerMask::parse("f1", model->layer_count()))}};
    save_plan(plan, folder_ / "plan.json");
  }

  /// What a terminal gets of an answer by that plan and one with nothing left out.
  std::string compare_on(PseudoTerminal& terminal) const {
    const ProgramResult result = run_on_terminal(
        {"run", "-m", model_.string(), "-t", "1", "--plan", (folder_ / "plan.json").string(),
         "--compare-full", "Is it? (A) yes (B) no"},
        {{"TERM", "xterm"}, {"NO_COLOR", "1"}}, terminal);
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return result.output;
  }

  void expect_refused(const std::vector<std::string>& flags, const std::string& part) const {
    const ProgramResult result = run(flags);
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_EQ(result.output, "");
    EXPECT_NE(result.errors.find(part), std::string::npos) << result.errors;
    EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << result.errors;
  }

  TemporaryFolder folder_;
  std::filesystem::path model_;
  std::filesystem::path program_;
};

TEST_F(Run, RefusesBadQuestions) {
  expect_refused({"--option", "yes", "--option", "no", ""}, "is empty");
  expect_refused({"Why? \xFF"}, "UTF-8");
  expect_refused({"--option", "yes", "Is it?"}, "option");
  expect_refused({"--option", "yes", "--option", "yes", "Is it?"}, "option");
  std::vector<std::string> many = {"Which?"};
  for (int i = 0; i < 30; ++i)
    many.insert(many.end(), {"--option", "number " + std::to_string(i)});
  expect_refused(many, "26");
}

TEST_F(Run, AQuestionMayStandBehindAnyFlag) {
  const ProgramResult result =
      run({"--program", program_.string(), "--stage-mask", "answer=f1", "Is it? (A) yes (B) no"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
}

TEST_F(Run, RefusesBadFlags) {
  const std::vector<std::string> question = {"Which? (A) one (B) two"};
  const auto with = [&](std::vector<std::string> flags) {
    flags.insert(flags.end(), question.begin(), question.end());
    return flags;
  };
  expect_refused(with({"--mask", "f99"}), "no layer 99");
  expect_refused(with({"--mask", "x1"}), "--mask");
  expect_refused(with({"--mask-recall", "a7-3"}), "--mask-recall");
  expect_refused(with({"--program", "tinythinker", "--mask-nosuch", "a1"}), "--mask-nosuch");
  expect_refused(with({"--program", "no-such-program"}), "no-such-program");
  expect_refused(with({"--program", "tinythinker", "-c", "100000"}), "-c");
  expect_refused(with({"--ask-first"}), "--leave-at");
  expect_refused(with({"--kv", "most"}), "'most' is none of whole|exact|none");
  expect_refused(with({"--program", "tinythinker", "--kv", "none", "--merge-branches"}),
                 "--kv none");
  expect_refused(with({"--stage-mask", "f1"}), "--stage-mask");
  expect_refused(with({"--no-such-flag"}), "--no-such-flag");
}

TEST_F(Run, StagesMayGoOnFromNoKv) {
  write_file(folder_ / "three.toml", std::string(calibration_program()));
  const auto stages = [&](const std::string& kv) {
    const ProgramResult result =
        run({"--json", "--program", (folder_ / "three.toml").string(), "--kv", kv,
             "--branches-in-turn", "--no-exit", "Is it? (A) yes (B) no"});
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return Json::parse(result.output).at("stages");
  };
  EXPECT_GT(stages("exact").at(1).at("reused_tokens"), 0);
  const Json anew = stages("none");
  ASSERT_EQ(anew.size(), 4U);
  for (const std::size_t i : {0, 1, 3})
    EXPECT_EQ(anew.at(i).at("reused_tokens"), 0) << i;
}

TEST_F(Run, RefusesAQuestionThatDoesNotFitTheContextInJsonToo) {
  std::string question = "Which?";
  for (int i = 0; i < 500; ++i)
    question += " and so on";
  question += " (A) one (B) two";
  expect_refused({"--json", "--program", "tinythinker", question}, "context");
}

TEST_F(Run, ReadsOneQuestionFromStandardInput) {
  const ProgramResult result = run_shell(
      "echo 'Is it? (A) yes (B) no' | '" + program_path().string() + "' run --json -t 1 -m '" +
      model_.string() + "' --program '" + program_.string() + "'");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(Json::parse(result.output).at("question"), "Is it?");
}

TEST_F(Run, AnUnwritableOutputIsAnError) {
  const ProgramResult result =
      run_shell("'" + program_path().string() + "' run --json -t 1 -m '" + model_.string() +
                "' --program '" + program_.string() + "' 'Is it? (A) yes (B) no' > /dev/full");
  EXPECT_EQ(result.exit_code, 2) << result.errors;
  EXPECT_NE(result.errors.find("standard output"), std::string::npos) << result.errors;
}

TEST_F(Run, ComparesInTwoColumnsWhereTheTerminalHasRoomForThem) {
  write_plan();
  PseudoTerminal wide(120);
  if (wide.file() == nullptr) GTEST_SKIP() << "there are no pseudo terminals here";
  const std::string beside = compare_on(wide);
  std::vector<std::string> lines;
  std::istringstream shown(beside);
  for (std::string line; std::getline(shown, line);) {
    const std::size_t wiped = line.rfind("\r\033[K");  // of what was shown while it was written
    lines.push_back(wiped == std::string::npos ? line : line.substr(wiped + 4));
  }
  const auto is_head = [](const std::string& line) {
    return line.starts_with("full  ") && line.ends_with("  │ plan");
  };
  const auto is_answer = [](const std::string& line) {
    return line.starts_with("answer  ") && line.ends_with("  │ answer");
  };
  const auto is_table = [](const std::string& line) { return line.ends_with(" full/plan"); };
  EXPECT_EQ(std::ranges::count_if(lines, is_head), 1) << beside;
  const auto head = std::ranges::find_if(lines, is_head);
  const auto answer = std::ranges::find_if(head, lines.end(), is_answer);
  EXPECT_NE(answer, lines.end()) << beside;
  EXPECT_NE(std::ranges::find_if(answer, lines.end(), is_table), lines.end()) << beside;

  PseudoTerminal narrow(90);
  const std::string in_turn = compare_on(narrow);
  EXPECT_EQ(in_turn.find("│"), std::string::npos) << in_turn;
  for (const char* part : {"\n        full\n", "\n        plan\n", " full/plan\n"})
    EXPECT_NE(in_turn.find(part), std::string::npos) << part << "\n" << in_turn;
}

class RealRun : public SmallModel {};

TEST_F(RealRun, JsonHasOneRecordAQuestion) {
  const ProgramResult result =
      run_program({"run", "-m", file_.string(), "--json", "--file",
                   (source_dir() / "questions/demo.jsonl").string(), "--limit", "2", "--program",
                   "recall-analyze-answer", "--mask", "f20", "--mask-answer", "none"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.errors, "");
  std::istringstream lines(result.output);
  std::string line;
  int count = 0;
  while (std::getline(lines, line)) {
    const Json record = Json::parse(line);
    ++count;
    ASSERT_EQ(record.at("stages").size(), 6U);
    for (const Json& stage : record.at("stages")) {
      for (const char* key : {"name", "option", "text", "prompt_tokens", "tokens", "prefill_ms",
                              "decode_ms", "stop_reason", "mask"}) {
        EXPECT_TRUE(stage.contains(key)) << key;
      }
      EXPECT_EQ(stage.at("mask"), stage.at("name") == "answer" ? "none" : "f20");
    }
    EXPECT_TRUE(record.at("answer").is_string());
    EXPECT_GT(record.at("total_ms").get<double>(), 0);
    EXPECT_TRUE(record.at("correct").is_boolean());
  }
  EXPECT_EQ(count, 2);
}

TEST_F(RealRun, ShowsQuestionStagesAnswerAndSummary) {
  const ProgramResult result = run_program(
      {"run", "-m", file_.string(), "--summary", "Which is heavier? (A) a brick (B) a feather"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  for (const char* part :
       {"Which is heavier?", "(B) a feather", "recall", "analyze B", "ms/token"}) {
    EXPECT_NE(result.output.find(part), std::string::npos) << part << "\n" << result.output;
  }
  EXPECT_EQ(result.output.find('\033'), std::string::npos) << "colours without a terminal";
}

TEST_F(RealRun, TheSameSeedGivesTheSameText) {
  const std::vector<std::string> call = {
      "run", "-m", file_.string(), "--json",        "--votes",          "3",
      "-s",  "5",  "--program",    "direct-number", "What is 3 plus 4?"};
  const Json first = Json::parse(run_program(call).output);
  const Json second = Json::parse(run_program(call).output);
  ASSERT_EQ(first.at("stages").size(), 3U);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(first.at("stages")[i].at("text"), second.at("stages")[i].at("text")) << i;
}

TEST_F(RealRun, CtrlCEndsWithWhatThereIs) {
  const TemporaryFolder folder;
  const std::string output = folder / "out.jsonl";
  const std::string program = program_path().string();
  const std::string questions = (source_dir() / "questions/demo.jsonl").string();
  const std::array<const char*, 7> words = {
      program.c_str(), "run", "-m", file_.c_str(), "--json", "--file", questions.c_str()};
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (freopen(output.c_str(), "w", stdout) == nullptr) _exit(99);
    std::vector<char*> arguments;
    for (const char* word : words)
      arguments.push_back(const_cast<char*>(word));
    arguments.push_back(nullptr);
    execv(program.c_str(), arguments.data());
    _exit(98);
  }
  // After the first record it is in the middle of its work.
  while (read_file(output).find('\n') == std::string::npos)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  kill(child, SIGINT);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  const std::string records = read_file(output);
  ASSERT_TRUE(records.ends_with("\n"));
  std::istringstream lines(records);
  std::string line;
  Json last;
  while (std::getline(lines, line))
    last = Json::parse(line);
  EXPECT_TRUE(last.contains("interrupted"));
}

}  // namespace
}  // namespace litestage::test
