#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/panel_product.h"
#include "support/run_program.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

TEST(Doctor, JsonHasWhatProgramsNeed) {
  const ProgramResult result = run_program({"doctor", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const Json report = Json::parse(result.output);
  for (const char* key : {"litestage_version", "ggml_version", "llama_version", "cpu"}) {
    EXPECT_FALSE(report.at(key).get<std::string>().empty()) << key;
  }
  EXPECT_GE(report.at("physical_cores").get<int>(), 1);
  EXPECT_GE(report.at("logical_cores").get<int>(), report.at("physical_cores").get<int>());
  EXPECT_GT(report.at("memory_bytes").get<double>(), 0);
  EXPECT_GT(report.at("memory_gigabytes_per_second").get<double>(), 0);
  EXPECT_TRUE(report.at("hints").is_array());
  EXPECT_TRUE(report.at("cpu_features").is_object());
  EXPECT_EQ(report.at("cpu_features").contains("PANELS"), cpu_prefers_panels());
  const Json& devices = report.at("devices");
  EXPECT_TRUE(
      std::ranges::any_of(devices, [](const Json& each) { return each.at("kind") == "CPU"; }));
}

TEST(Doctor, SaysWhereModelsAreKept) {
  const ProgramResult result =
      run_program({"doctor", "--json"}, {{"LITESTAGE_CACHE", "/some/cache"}});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const Json report = Json::parse(result.output);
  EXPECT_EQ(report.at("models_folder"), "/some/cache/models");
  EXPECT_EQ(report.at("caches").at("LITESTAGE_CACHE"), "/some/cache");
}

TEST(Doctor, HintsWhenMoreThreadsThanCoresAreAskedFor) {
  const ProgramResult result = run_program({"doctor"}, {{"LITESTAGE_THREADS", "999"}});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_NE(result.output.find("LITESTAGE_THREADS=999 asks for more threads"), std::string::npos)
      << result.output;
}

}  // namespace
}  // namespace litestage::test
