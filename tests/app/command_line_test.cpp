#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/contains.h"
#include "support/run_program.h"

namespace litestage::test {
namespace {

const std::vector<std::string> VERBS = {"models", "pull",   "run",   "profile", "tune",
                                        "search", "retime", "head",  "eval",    "report",
                                        "plan",   "bench",  "doctor"};

// Every user's error: exit code 2, nothing on stdout, one line on stderr.
void expect_user_error(const ProgramResult& result, const std::string& part) {
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.output, "");
  EXPECT_TRUE(result.errors.starts_with("litestage: error: ")) << result.errors;
  EXPECT_EQ(std::ranges::count(result.errors, '\n'), 1) << result.errors;
  EXPECT_TRUE(contains(result.errors, part)) << result.errors;
}

TEST(CommandLine, HelpNamesEveryVerb) {
  const ProgramResult result = run_program({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.errors, "");
  for (const std::string& verb : VERBS)
    EXPECT_TRUE(contains(result.output, "\n  " + verb)) << verb;
}

TEST(CommandLine, EveryVerbsHelpHasExamples) {
  for (const std::string& verb : VERBS) {
    const ProgramResult result = run_program({verb, "--help"});
    EXPECT_EQ(result.exit_code, 0) << verb;
    EXPECT_TRUE(contains(result.output, "Examples:\n  litestage " + verb)) << result.output;
  }
}

TEST(CommandLine, VersionNamesTheLibrariesToo) {
  const ProgramResult result = run_program({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(result.output.starts_with("litestage ")) << result.output;
  EXPECT_TRUE(contains(result.output, "ggml 0.")) << result.output;
  EXPECT_TRUE(contains(result.output, "llama 0.")) << result.output;
}

TEST(CommandLine, NoVerbIsAnError) {
  expect_user_error(run_program({}), "models, pull, run, profile, tune, search");
}

TEST(CommandLine, MisspeltVerbsGetASuggestion) {
  expect_user_error(run_program({"bensh"}), "unknown verb 'bensh' (did you mean 'bench'?)");
  expect_user_error(run_program({"xylophone"}), "unknown verb 'xylophone'; see");
}

TEST(CommandLine, MisspeltFlagsGetASuggestion) {
  expect_user_error(run_program({"bench", "--repetition", "3"}),
                    "unknown flag '--repetition' (did you mean '--repetitions'?)");
  expect_user_error(run_program({"doctor", "--jsn"}), "(did you mean '--json'?)");
  expect_user_error(run_program({"--versio"}), "(did you mean '--version'?)");
  expect_user_error(run_program({"bench", "--threds=2"}), "(did you mean '--threads'?)");
}

TEST(CommandLine, ValuesOutOfRangeAreErrors) {
  expect_user_error(run_program({"bench", "-r", "0"}), "--repetitions");
  expect_user_error(run_program({"bench", "-r", "many"}), "--repetitions");
  expect_user_error(run_program({"bench", "-t", "-1"}), "--threads");
  expect_user_error(run_program({"bench", "-p", "16,x"}), "--n-prompt");
  expect_user_error(run_program({"bench", "--compare", "nothing"}),
                    "'nothing' is none of libllama");
  expect_user_error(run_program({"bench", "-o", "xml"}), "'xml' is none of md|csv|json|jsonl");
  expect_user_error(run_program({"bench", "-fa", "maybe"}), "'maybe' is none of auto|on|off");
  expect_user_error(run_program({"bench", "leftover"}), "unexpected argument 'leftover'");
}

TEST(CommandLine, KeysAndValuesOfTheCacheHaveOneType) {
  expect_user_error(run_program({"bench", "-ctk", "q8_0"}), "--cache-type-v");
  // Past the flags: the missing file is what is wrong now.
  expect_user_error(run_program({"bench", "-ctk", "q8_0", "-ctv", "q8_0", "-m", "/missing.gguf"}),
                    "/missing.gguf");
}

TEST(CommandLine, EnvironmentStandsInForFlagsAndFlagsWin) {
  expect_user_error(run_program({"bench"}, {{"LITESTAGE_MODEL", "/of/environment.gguf"}}),
                    "/of/environment.gguf");
  expect_user_error(
      run_program({"bench", "-m", "/of/flag.gguf"}, {{"LITESTAGE_MODEL", "/of/environment.gguf"}}),
      "/of/flag.gguf");
  expect_user_error(run_program({"bench"}, {{"LITESTAGE_THREADS", "several"}}), "--threads");
}

}  // namespace
}  // namespace litestage::test
