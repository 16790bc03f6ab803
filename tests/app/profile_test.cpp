// `litestage profile` as its users call it, on a tiny random model.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "support/calibration.h"
#include "support/importance_example.h"
#include "support/paths.h"
#include "support/run_program.h"
#include "support/small_model.h"
#include "support/temporary.h"
#include "support/tiny_model.h"
#include "support/verb_test.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

class ProfileVerb : public VerbTest {
 protected:
  ProfileVerb() {
    TinyOptions deep;  // has so many sublayers that there is time to stop its profile
    deep.layers = 10;
    TinyModel(deep).write(folder_ / "deep.gguf");
    write_file(folder_ / "two.jsonl", question_lines(calibration_questions()));
    write_file(folder_ / "example.json", to_json(importance_example()));
  }

  std::vector<std::string> call(const std::vector<std::string>& more = {},
                                const std::string& output = "out.json") const {
    std::vector<std::string> words = {"profile",
                                      "-m",
                                      path("tiny.gguf"),
                                      "--program",
                                      path("three.toml"),
                                      "--questions",
                                      path("two.jsonl"),
                                      "-t",
                                      "1",
                                      "--timing-seconds",
                                      "1",
                                      "-o",
                                      path(output)};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// Sends a signal to a profile of the deep model after its first damages.
  /// @return the status it ended with; nothing when it was done before, time after time
  std::optional<int> stop_underway(int signal) const {
    constexpr int ATTEMPTS = 5;
    constexpr std::ptrdiff_t LINES = 10;  // whose, two texts, cosine, three milliseconds, damages
    for (int attempt = 0; attempt < ATTEMPTS; ++attempt) {
      const int status = signal_program(deep_call(), path("errors.txt"), signal,
                                        [&] { return lines_of_partial() >= LINES; });
      if (std::filesystem::exists(path("out.json.partial"))) return status;
      std::filesystem::remove(path("out.json"));
    }
    return std::nullopt;
  }

  /// The same profile ends well, and what had been measured is not measured a second time.
  /// @param partial the file of pieces as it was left
  void goes_on_from(const std::string& partial) const {
    const ProgramResult result = run_program(deep_call({"--json"}));
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    const Json json = Json::parse(result.output);
    std::istringstream lines(partial);
    int compared = 0;
    for (std::string line; std::getline(lines, line);) {
      const Json piece = Json::parse(line, nullptr, false);
      if (piece.is_discarded() || piece.value("name", "") != "milliseconds recall, head full")
        continue;
      EXPECT_EQ(json.at("stages")[0].at("decode_ms"), piece.at("value").at("decode")[0]);
      ++compared;
    }
    EXPECT_EQ(compared, 1);
    EXPECT_FALSE(std::filesystem::exists(path("out.json.partial")));
  }

  std::vector<std::string> deep_call(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = call(more);
    words[2] = path("deep.gguf");
    return words;
  }

  std::ptrdiff_t lines_of_partial() const {
    if (!std::filesystem::exists(path("out.json.partial"))) return 0;
    const std::string text = read_file(path("out.json.partial"));
    return std::count(text.begin(), text.end(), '\n');
  }
};

TEST_F(ProfileVerb, WritesAnImportanceAndAPageAndDrawsMaps) {
  const ProgramResult result = run_program(call({"--html", path("out.html")}));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const Json json = Json::parse(read_file(path("out.json")));
  EXPECT_EQ(json.at("model").at("layers"), 3);
  EXPECT_EQ(json.at("program").at("name"), "three");
  EXPECT_EQ(json.at("questions").at("set"), "two.jsonl");
  EXPECT_EQ(json.at("stages").size(), 3U);
  EXPECT_FALSE(std::filesystem::exists(path("out.json.partial")));
  for (const char* part : {"Cosine:", "Damage:", "Milliseconds:", "analyze reading attention"})
    EXPECT_NE(result.output.find(part), std::string::npos) << part << "\n" << result.output;
  EXPECT_EQ(result.output.find('\033'), std::string::npos) << "colours without a terminal";
  for (const char* part : {"1/4 texts: 2 questions in ", "4/4 damage: 30 sublayers in "})
    EXPECT_NE(result.errors.find(part), std::string::npos) << part << "\n" << result.errors;
  EXPECT_TRUE(read_file(path("out.html")).starts_with("<!DOCTYPE html>"));

  // What was written is drawn again without the model.
  std::filesystem::remove(path("tiny.gguf"));
  const ProgramResult again = run_program({"profile", "--show", path("out.json")});
  ASSERT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(again.output, result.output);
  const ProgramResult as_json = run_program({"profile", "--show", path("out.json"), "--json"});
  EXPECT_EQ(as_json.output, read_file(path("out.json")));
}

TEST_F(ProfileVerb, OneThatWasKilledGoesOn) {
  const std::optional<int> status = stop_underway(SIGKILL);
  ASSERT_TRUE(status) << "it was always done before it could be killed";
  ASSERT_TRUE(WIFSIGNALED(*status));
  const std::string before = read_file(path("out.json.partial"));
  EXPECT_FALSE(std::filesystem::exists(path("out.json")));

  goes_on_from(before);
}

TEST_F(ProfileVerb, CtrlCKeepsWhatThereIsAndSaysHowToGoOn) {
  const std::optional<int> status = stop_underway(SIGINT);
  ASSERT_TRUE(status) << "it was always done before it could be stopped";
  ASSERT_TRUE(WIFEXITED(*status));
  EXPECT_EQ(WEXITSTATUS(*status), 130);
  expect_last_words("litestage: stopped; what is measured so far is in " +
                        path("out.json.partial") + ", and the same command goes on from there\n",
                    path("errors.txt"));
  EXPECT_FALSE(std::filesystem::exists(path("out.json")));
  const std::string before = read_file(path("out.json.partial"));
  EXPECT_TRUE(before.ends_with('\n')) << "half a piece was left";
  expect_refused(deep_call({"--damage-tokens", "50"}), "was begun with another");
  goes_on_from(before);
}

TEST_F(ProfileVerb, RefusesWhatCannotWork) {
  expect_refused({"profile", "--questions", path("two.jsonl")}, "--program");
  expect_refused({"profile", "--program", path("three.toml")}, "--questions");
  expect_refused({"profile", "--show", path("example.json"), "--program", "direct"}, "--show");
  expect_refused({"profile", "--show", path("no.json")}, "no.json");
  expect_refused({"profile", "--show", path("two.jsonl")}, "two.jsonl");
  expect_refused(call({}, "no/such/folder/out.json"), "no/such/folder");
  expect_refused(call({"--html", path("no/such/folder/out.html")}), "no/such/folder");
  expect_refused(call({}, ""), "is a folder");
  expect_refused(call({"--limit", "0"}), "--limit");
  expect_refused(call({"--damage-tokens", "-1"}), "--damage-tokens");
  // A question without options does not fit the program.
  write_file(folder_ / "two.jsonl", "{\"question\": \"Why?\"}\n");
  expect_refused(call(), "program 'three' needs options");
}

TEST_F(ProfileVerb, HelpHasExamples) {
  const ProgramResult result = run_program({"profile", "--help"});
  EXPECT_EQ(result.exit_code, 0);
  for (const char* part : {"--program", "--questions", "--html", "--show", "Examples:", ".partial"})
    EXPECT_NE(result.output.find(part), std::string::npos) << part;
}

class RealProfile : public SmallModel {};

TEST_F(RealProfile, TwoQuestionsOnTheSmallModel) {
  const TemporaryFolder folder;
  const std::string output = folder / "importance.json";
  const ProgramResult result = run_program(
      {"profile", "-m", file_.string(), "--program", "direct", "--questions",
       (source_dir() / "questions/demo.jsonl").string(), "--limit", "2", "--damage-tokens", "1",
       "--timing-seconds", "1", "-o", output, "--html", folder / "importance.html", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.output, read_file(output));
  const Json json = Json::parse(result.output);
  EXPECT_EQ(json.at("model").at("layers"), 30);
  EXPECT_EQ(json.at("questions").at("hashes").size(), 2U);
  const Json& stage = json.at("stages")[0];
  EXPECT_GT(stage.at("prefill_ms"), 0.0);
  ASSERT_EQ(stage.at("layers").size(), 30U);
  for (const Json& layer : stage.at("layers")) {
    for (const char* kind : {"attention", "ffn"}) {
      const Json& prefill = layer.at(kind).at("prefill");
      EXPECT_GT(prefill.at("cosine"), 0.0);
      EXPECT_LT(prefill.at("cosine"), 1.0);
      EXPECT_GT(prefill.at("damage"), 0.0);
    }
  }
  // Of every real model so far: leaving out the first FFN ruins it, one in the middle does not.
  const auto damage = [&](std::size_t layer) {
    return stage.at("layers")[layer].at("ffn").at("prefill").at("damage").get<double>();
  };
  EXPECT_GT(damage(0), 5 * damage(15));
}

}  // namespace
}  // namespace litestage::test
