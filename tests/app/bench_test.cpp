#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "support/decoder_tools.h"
#include "support/run_program.h"
#include "support/small_model.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

ProgramResult run_bench(const std::filesystem::path& model, const std::vector<std::string>& flags) {
  std::vector<std::string> words = {"bench", "-m", model.string()};
  words.insert(words.end(), flags.begin(), flags.end());
  return run_program(words);
}

/// Runs `litestage bench` on the small real model; no speed is ever asserted.
class RealBench : public SmallModel {
 protected:
  ProgramResult bench(const std::vector<std::string>& flags) const {
    return run_bench(file_, flags);
  }
};

/// The same on a random model that takes no time: which rows there are, and what they are called.
class Bench : public testing::Test {
 protected:
  ProgramResult bench(const std::vector<std::string>& flags) const {
    return run_bench(tiny_.file(), flags);
  }

 private:
  LoadedTiny tiny_{TinyOptions{.layers = 16}};
};

void expect_positive(const Json& row, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    ASSERT_TRUE(row.contains(key)) << key;
    EXPECT_GT(row.at(key).get<double>(), 0) << key;
  }
}

TEST_F(RealBench, JsonRowsHaveRatesAndRatios) {
  const ProgramResult result =
      bench({"-p", "16", "-n", "8", "-r", "2", "--compare", "libllama", "-o", "json"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(result.errors, "");
  const Json rows = Json::parse(result.output);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("test"), "pp16");
  EXPECT_EQ(rows[1].at("test"), "tg8");
  for (const Json& row : rows) {
    expect_positive(row, {"tokens_per_second", "libllama_tokens_per_second", "ratio", "ratio_low",
                          "ratio_high", "load_ms", "libllama_load_ms", "peak_memory_bytes",
                          "libllama_peak_memory_bytes", "memory_gigabytes_per_second"});
    EXPECT_LE(row.at("ratio_low"), row.at("ratio"));
    EXPECT_LE(row.at("ratio"), row.at("ratio_high"));
    EXPECT_EQ(row.at("samples").size(), 2U);
    EXPECT_EQ(row.at("mask"), "none");
  }
  // A process that holds the model cannot be smaller than its weights.
  EXPECT_GT(rows[0].at("peak_memory_bytes"), rows[0].at("model_size"));
  EXPECT_TRUE(rows[0].at("gigabytes_per_second").is_null());
  expect_positive(rows[1], {"gigabytes_per_second", "memory_share", "bytes_per_token"});
}

TEST_F(Bench, AMaskIsARowOfItsOwnWithItsPromise) {
  const ProgramResult result = bench(
      {"-p", "0", "-n", "4", "-r", "2", "--mask", "f10-14", "--mask", "a3,f3", "-o", "jsonl"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  std::vector<Json> rows;
  std::istringstream lines(result.output);
  for (std::string line; std::getline(lines, line);)
    rows.push_back(Json::parse(line));
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].at("mask"), "none");
  EXPECT_FALSE(rows[0].contains("gain"));
  EXPECT_EQ(rows[1].at("mask"), "f10-14");
  for (std::size_t i = 1; i < rows.size(); ++i) {
    expect_positive(rows[i], {"gain", "gain_low", "gain_high", "gain_share"});
    const double whole = rows[0].at("bytes_per_token");
    const double masked = rows[i].at("bytes_per_token");
    EXPECT_LT(masked, whole);
    EXPECT_NEAR(rows[i].at("gain_promised"), whole / masked, 1e-9);
  }
}

TEST_F(Bench, BatchesOfSequencesAreFurtherRows) {
  const ProgramResult result = bench({"-p", "0", "-n", "4", "-r", "1", "--batch-sequences", "2,4",
                                      "--compare", "libllama", "-o", "json"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const Json rows = Json::parse(result.output);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[1].at("test"), "tg4x2");
  EXPECT_EQ(rows[2].at("test"), "tg4x4");
  EXPECT_EQ(rows[2].at("batch_sequences"), 4);
  EXPECT_GT(rows[2].at("n_depth"), 0) << "sequences share a prefix";
  EXPECT_TRUE(rows[2].at("ratio_high").is_null()) << "one repetition has no interval";
}

TEST_F(Bench, SequencesOfABatchMayShareNothing) {
  const ProgramResult result = bench({"-p", "0", "-n", "4", "-r", "1", "--batch-sequences", "3",
                                      "--own-prefixes", "--compare", "libllama", "-o", "json"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const Json rows = Json::parse(result.output);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].at("own_prefixes"), false);
  EXPECT_EQ(rows[1].at("test"), "tg4x3 own");
  EXPECT_EQ(rows[1].at("own_prefixes"), true);
}

TEST_F(Bench, ExitChecksAreRowsOfTheirOwn) {
  const ProgramResult result = bench(
      {"-p", "8", "-n", "8", "-r", "2", "--batch-sequences", "2", "--exit-check", "-o", "json"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const Json rows = Json::parse(result.output);
  ASSERT_EQ(rows.size(), 3U + 2 * 3);
  const std::vector<std::string> kinds = {"largest_logit", "largest_probability",
                                          "negative_entropy"};
  for (std::size_t i = 3; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("test"), i < 6 ? "tg8" : "tg8x2");
    EXPECT_EQ(rows[i].at("exit_check"), kinds[i % 3]);
    expect_positive(rows[i], {"exit_check_ms", "exit_check_share", "exit_check_ratio",
                              "exit_check_ratio_low", "exit_check_ratio_high"});
  }
  const ProgramResult md = bench({"-p", "0", "-n", "4", "-r", "1", "--exit-check"});
  EXPECT_NE(md.output.find("exit check, tg4, largest_logit: "), std::string::npos) << md.output;
}

TEST_F(Bench, CsvAndMarkdownHaveTheSameRows) {
  const std::vector<std::string> flags = {"-p", "8", "-n", "2", "-r", "1", "--mask", "f1", "-o"};
  std::vector<std::string> csv_flags = flags;
  csv_flags.push_back("csv");
  const ProgramResult csv = bench(csv_flags);
  ASSERT_EQ(csv.exit_code, 0) << csv.errors;
  EXPECT_EQ(std::ranges::count(csv.output, '\n'), 5);  // names, two tests with and without the mask
  EXPECT_NE(csv.output.find("\"pp8\""), std::string::npos);

  std::vector<std::string> md_flags = flags;
  md_flags.push_back("md");
  const ProgramResult md = bench(md_flags);
  ASSERT_EQ(md.exit_code, 0) << md.errors;
  EXPECT_TRUE(md.output.starts_with("| model")) << md.output;
  EXPECT_NE(md.output.find(" tg2 |"), std::string::npos) << md.output;
}

TEST_F(Bench, MasksThatDoNotFitAreRefusedBeforeAnyWork) {
  const ProgramResult result = bench({"--mask", "f99"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.output, "");
  EXPECT_TRUE(result.errors.starts_with("litestage: error: --mask")) << result.errors;
}

}  // namespace
}  // namespace litestage::test
