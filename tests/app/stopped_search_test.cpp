// `litestage search` and `tune`, killed or stopped by Ctrl-C and started anew: nothing that was
// done is done a second time, and the plan is the one of a search that nobody disturbed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/run_program.h"
#include "support/search_verbs.h"
#include "support/temporary.h"
#include "support/watched_memo.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

/// Every piece of work was written once, and nothing that was written was touched again.
void expect_each_once(const std::vector<std::string>& written) {
  const auto twice = std::ranges::adjacent_find(written);
  EXPECT_TRUE(twice == written.end()) << *twice;
  for (const std::string& what : written)
    EXPECT_TRUE(what.starts_with("outcome ") || what.starts_with("measurement ")) << what;
}

/// Takes out the time of day, and damages, whose last digits may depend on what was measured
/// before them.
void forget_what_may_differ(Json& json) {
  if (json.is_object()) {
    json.erase("created");
    json.erase("damage");
  }
  for (Json& part : json) {
    if (part.is_structured()) forget_what_may_differ(part);
  }
}

class StoppedSearch : public SearchVerbs {
 protected:
  StoppedSearch() : memo_(path("plan.memo")) {}

  /// Sends a signal to a command when its memo has so many pieces of work, at least one of them its
  /// own: then it listens to signals.
  int signal_at(std::size_t pieces, int signal, const std::vector<std::string>& words) const {
    const std::size_t due = std::max(pieces, memo_.written() + 1);
    return signal_program(words, errors(), signal, [&] { return memo_.written() >= due; });
  }

  void run_to_the_end(const std::vector<std::string>& words) const {
    const ProgramResult result = run_program(words);
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    EXPECT_EQ(memo_.check(), "ok");
  }

  Json read_json(const std::string& name) const {
    Json json = Json::parse(read_file(path(name)));
    forget_what_may_differ(json);
    return json;
  }

  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
  std::string errors() const { return path("errors.txt"); }

  WatchedMemo memo_;
};

class KilledSearch : public StoppedSearch {
 protected:
  /// Kills a search when its memo has so many pieces of work, each time where the last one stopped,
  /// and then lets it end.
  /// @param unfinished of as many pieces no plan can be made
  void kill_at(const std::vector<std::size_t>& moments, std::size_t unfinished,
               const std::vector<std::string>& words) const {
    int kills = 0;
    for (const std::size_t pieces : moments) {
      const int status = signal_at(pieces, SIGKILL, words);
      if (WIFEXITED(status)) {
        ASSERT_EQ(WEXITSTATUS(status), 0) << read_file(errors());
        break;  // it was quicker than the signal
      }
      ++kills;
      if (memo_.written() <= unfinished) {
        EXPECT_FALSE(exists("plan.json"));
      }
    }
    ASSERT_GT(kills, 0) << "it was done before it could be killed";
    run_to_the_end(words);
  }

  /// Without exit rules, whose thresholds are confidences to the last digit, and in floats, where
  /// rounding has no say in the texts, however many questions share a batch.
  std::vector<std::string> call_in_floats(const std::string& parallel) const {
    std::vector<std::string> words =
        call("search",
             {"--no-exit", "--timed-questions", "0", "--parallel", parallel, "-c", "1024", "-fa",
              "off", "-ctk", "f32", "-ctv", "f32"},
             "many.jsonl");
    *(std::ranges::find(words, "--max-loss") + 1) = "10";  // so that some candidates are dropped
    return words;
  }

  /// Searches once undisturbed, and once again with several kills, by the same milliseconds: what
  /// is tried next would depend on the clock otherwise.
  void expect_no_difference(const std::vector<std::string>& words) const {
    profile();
    run_to_the_end(words);
    std::vector<std::string> expected = memo_.list();
    expect_each_once(expected);
    std::erase_if(expected,
                  [](const std::string& what) { return what.starts_with("measurement time on "); });
    const Json plan = read_json("plan.json");
    const Json search = read_json("plan.search.json");
    for (const char* name : {"plan.json", "plan.search.json", "plan.search.html"})
      std::filesystem::remove(path(name));

    memo_.keep_times_alone();
    const std::size_t all = expected.size();
    ASSERT_GT(all, 200U);
    std::vector<std::size_t> moments;
    for (const std::size_t percent : {5U, 20U, 40U, 60U, 80U, 95U})
      moments.push_back(all * percent / 100);
    ASSERT_NO_FATAL_FAILURE(kill_at(moments, all - 1, words));
    EXPECT_EQ(memo_.list(), expected) << "the same pieces of work, each of them once";
    EXPECT_EQ(read_json("plan.json"), plan);
    EXPECT_EQ(read_json("plan.search.json"), search);
  }
};

TEST_F(KilledSearch, DoesNothingTwiceAndEndsAsAnUndisturbedOne) {
  expect_no_difference(call_in_floats("1"));
}

TEST_F(KilledSearch, OfSeveralQuestionsAtATimeEndsAsAnUndisturbedOne) {
  expect_no_difference(call_in_floats("4"));
}

TEST_F(KilledSearch, WithAllItsStepsDoesNothingTwice) {
  profile();
  const std::vector<std::string> words = call("search", {"--timed-questions", "2"}, "many.jsonl");
  ASSERT_NO_FATAL_FAILURE(kill_at({10, 80, 160, 240}, 100, words));
  expect_each_once(memo_.list());
  EXPECT_TRUE(exists("plan.json"));
  EXPECT_TRUE(exists("plan.exit.json"));
}

// Stopped again and again, each time a little further on.
TEST_F(StoppedSearch, CtrlCEndsWithItsOwnCodeAndSaysHowToGoOn) {
  profile();
  write_file(path("plan.json"), "a plan of before");
  const std::vector<std::string> words = call("search", {"--timed-questions", "2"}, "many.jsonl");
  for (const std::size_t pieces : {5U, 60U, 120U}) {
    const int status = signal_at(pieces, SIGINT, words);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 130) << read_file(errors());
    expect_last_words("litestage: stopped; what is done so far is in " + path("plan.memo") +
                          ", and the same command goes on from there\n",
                      errors());
    EXPECT_EQ(memo_.check(), "ok");
    EXPECT_EQ(read_file(path("plan.json")), "a plan of before");
    EXPECT_FALSE(exists("plan.search.json"));
  }
  run_to_the_end(words);
  expect_each_once(memo_.list());
  EXPECT_EQ(read_json("plan.json").at("origin").at("questions").size(), 80U);
}

TEST_F(StoppedSearch, CtrlCWhileATuneLearnsItsPreviewLeavesNone) {
  const std::vector<std::string> words = tune_with_preview();
  const auto previews = [&] {
    return std::ranges::count_if(
        std::filesystem::directory_iterator(folder_.path()), [](const auto& entry) {
          return entry.path().filename().string().starts_with("tiny.head.gguf");
        });
  };
  const auto texts = [&] { return memo_.written() > 0; };
  const auto check = [&] { return previews() > 0; };
  for (const auto& due : std::vector<std::function<bool()>>{texts, check}) {
    const int status = signal_program(words, errors(), SIGINT, due);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 130) << read_file(errors());
    expect_last_words("litestage: stopped; what is done so far is in " + path("plan.memo") +
                          ", and the same command goes on from there\n",
                      errors());
    EXPECT_EQ(previews(), 0);
    EXPECT_FALSE(exists("plan.json"));
  }
  run_to_the_end(words);
  expect_each_once(memo_.list());
  EXPECT_TRUE(exists("plan.json"));
}

TEST_F(StoppedSearch, CtrlCOfATuneKeepsWhatEitherHalfHasDone) {
  const std::string importance = path("plan.importance.json");
  const std::string partial = importance + ".partial";
  const std::vector<std::string> words = call("tune", {"--timed-questions", "0"}, "many.jsonl");
  const auto measured = [&] {
    if (!std::filesystem::exists(partial)) return false;
    constexpr std::ptrdiff_t PIECES = 5;  // texts
    return std::ranges::count(read_file(partial), '\n') >= PIECES;
  };
  int status = signal_program(words, errors(), SIGINT, measured);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 130) << read_file(errors());
  expect_last_words("litestage: stopped; what is measured so far is in " + partial +
                        ", and the same command goes on from there\n",
                    errors());
  EXPECT_TRUE(read_file(partial).ends_with('\n')) << "half a piece was left";
  EXPECT_FALSE(std::filesystem::exists(importance));

  // The profile asks 16 questions of three stages: what is beyond is the search's.
  status = signal_at(80, SIGINT, words);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 130) << read_file(errors());
  expect_last_words("litestage: stopped; what is done so far is in " + path("plan.memo") +
                        ", and the same command goes on from there\n",
                    errors());
  const std::string profiled = read_file(importance);
  EXPECT_FALSE(std::filesystem::exists(partial));
  EXPECT_FALSE(exists("plan.json"));

  run_to_the_end(words);
  EXPECT_EQ(read_file(importance), profiled) << "the profile was made anew";
  expect_each_once(memo_.list());
  EXPECT_TRUE(exists("plan.json"));
}

}  // namespace
}  // namespace litestage::test
