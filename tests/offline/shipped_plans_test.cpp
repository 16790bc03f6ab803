// The plans in plans/ are for the programs as they are shipped, and what they came from lies beside
// them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "litestage/plan.h"
#include "litestage/program.h"
#include "offline/importance.h"
#include "offline/search_json.h"
#include "support/paths.h"

namespace litestage::test {
namespace {

namespace fs = std::filesystem;

/// MODEL/PROGRAM.json and MODEL/PROGRAM.paper.json, without the files beside them.
std::vector<fs::path> shipped_plans() {
  std::vector<fs::path> plans;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(source_dir() / "plans")) {
    const std::string name = entry.path().filename().string();
    const auto dots = std::ranges::count(name, '.');
    if (name.ends_with(".json") && (dots == 1 || (dots == 2 && name.ends_with(".paper.json"))))
      plans.push_back(entry.path());
  }
  return plans;
}

fs::path beside(const fs::path& plan, const std::string& what) {
  return plan.parent_path() / (plan.stem().string() + "." + what + ".json");
}

std::string program_of(const fs::path& plan) {
  const std::string name = plan.filename().string();
  return name.substr(0, name.find('.'));
}

TEST(ShippedPlans, AreForTheShippedPrograms) {
  const std::vector<fs::path> plans = shipped_plans();
  ASSERT_FALSE(plans.empty());
  for (const fs::path& path : plans) {
    const Plan plan = load_plan(path.string());
    EXPECT_EQ(plan.program, program_of(path));
    EXPECT_EQ(plan.model_name, path.parent_path().filename().string());
    const Program program = load_program(plan.program);
    EXPECT_EQ(plan.program_hash, program.hash) << path << ": make it again";
    ASSERT_EQ(plan.stages.size(), program.stages.size());
    for (std::size_t i = 0; i < program.stages.size(); ++i)
      EXPECT_EQ(plan.stages[i].first, program.stages[i].name);
    ASSERT_TRUE(plan.accuracy && plan.latency) << path;
    EXPECT_FALSE(plan.origin.questions.empty());
  }
}

TEST(ShippedPlans, HaveWhatTheyCameFromBesideThem) {
  for (const fs::path& path : shipped_plans()) {
    const Plan plan = load_plan(path.string());
    const SearchFile search = load_search(beside(path, "search").string());
    EXPECT_EQ(search.plan, plan) << path;
    const Importance importance =
        load_importance((path.parent_path() / (program_of(path) + ".importance.json")).string());
    EXPECT_EQ(importance.model_hash, plan.model_hash);
    EXPECT_EQ(importance.program_hash, plan.program_hash);
  }
}

}  // namespace
}  // namespace litestage::test
