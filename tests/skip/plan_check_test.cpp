#include <ggml.h>
#include <gtest/gtest.h>

#include <vector>

#include "litestage/decoder.h"
#include "litestage/error.h"
#include "litestage/plan.h"
#include "litestage/version.h"
#include "support/decoder_tools.h"
#include "support/sample_plans.h"

namespace litestage::test {
namespace {

const std::vector<std::string> STAGES = {"plan", "solve"};

/// A plan that was made here and now for a tiny model.
class PlanCheck : public testing::Test {
 protected:
  PlanCheck() : tiny_(TinyOptions{}) {
    plan_.model_name = tiny_.model()->name();
    plan_.model_hash = model_hash(*tiny_.model());
    plan_.layers = tiny_.model()->layer_count();
    plan_.program = "plan-solve";
    plan_.program_hash = std::string(64, 'b');
    plan_.stages = {{"plan", {}}, {"solve", {}}};
    plan_.origin.litestage_version = litestage_version();
    plan_.origin.ggml_version = ggml_version();
    plan_.origin.machine = machine_name();
    plan_.origin.threads = 3;
  }

  PlanWarnings check(const std::vector<std::string>& stages = STAGES, int threads = 3) const {
    return check_plan(plan_, *tiny_.model(), "plan-solve", std::string(64, 'b'), stages, "my.json",
                      threads);
  }

  std::string refusal(const std::vector<std::string>& stages = STAGES) const {
    try {
      check(stages);
    } catch (const UserError& error) {
      return error.what();
    }
    return "none";
  }

  void expect_warning(const std::string& beginning, const std::string& command,
                      int threads = 3) const {
    const PlanWarnings warnings = check(STAGES, threads);
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_TRUE(warnings[0].starts_with(beginning)) << warnings[0];
    EXPECT_NE(warnings[0].find(command), std::string::npos) << warnings[0];
  }

  LoadedTiny tiny_;
  Plan plan_;
};

TEST_F(PlanCheck, NothingIsWrongWhereItWasMade) {
  EXPECT_EQ(check(), PlanWarnings());
}

TEST_F(PlanCheck, AnotherModelIsRefused) {
  const std::string name = plan_.model_name;
  const std::string hash = plan_.model_hash;
  plan_.model_name = "Other";
  plan_.model_hash = std::string(64, 'a');
  EXPECT_EQ(refusal(), "my.json: it was made for Other (aaaaaaaaaaaa), not for " + name + " (" +
                           hash.substr(0, 12) + "); make one for it with 'litestage tune'");
}

TEST_F(PlanCheck, LayersThatAreNotTheModelsAreRefused) {
  plan_.layers = 24;
  EXPECT_TRUE(refusal().starts_with("my.json: model.layers: it says 24, but ")) << refusal();
}

TEST_F(PlanCheck, StagesMustBeTheSame) {
  EXPECT_EQ(refusal({"plan", "solve", "answer"}),
            "my.json: it lacks the stage 'answer' of the program plan-solve; make one for it with "
            "'litestage tune'");
  EXPECT_EQ(refusal({"plan"}),
            "my.json: the program plan-solve has no stage 'solve'; make one for it with "
            "'litestage tune'");
  EXPECT_EQ(refusal({"solve", "plan"}), "none");
}

TEST_F(PlanCheck, AnotherProgramIsAWarning) {
  plan_.program_hash = std::string(64, 'c');
  expect_warning("my.json: the program plan-solve has changed since the plan was made",
                 "'litestage tune'");
  plan_.program = "other";
  expect_warning("my.json: it was made for the program other, not for plan-solve",
                 "'litestage tune'");
}

TEST_F(PlanCheck, OtherMachinesAndVersionsAreWarnings) {
  const std::string command = "'litestage retime my.json --questions ";
  const Plan whole = plan_;
  plan_.origin.machine = "Abacus";
  expect_warning("my.json: it was measured on Abacus, here it runs on " + machine_name(), command);
  plan_ = whole;
  plan_.origin.litestage_version = "0.0.0";
  expect_warning("my.json: it was measured with litestage 0.0.0, here it runs with litestage ",
                 command);
  plan_ = whole;
  plan_.origin.ggml_version = "0.0.0";
  expect_warning("my.json: it was measured with ggml 0.0.0, here it runs with ggml ", command);
  plan_.origin.question_set = "a.jsonl, b.jsonl";
  expect_warning("my.json: it was measured with ggml 0.0.0", command + "a.jsonl b.jsonl'");
  plan_ = whole;
  expect_warning("my.json: it was measured with 3 threads, here it runs with 1 thread,", command,
                 1);
}

TEST_F(PlanCheck, NoThreadsStandForOneAPhysicalCore) {
  plan_.origin.threads = default_thread_count();
  EXPECT_EQ(check(STAGES, 0), PlanWarnings());
  plan_.origin.threads = default_thread_count() + 1;
  EXPECT_EQ(check(STAGES, 0).size(), 1U);
}

TEST_F(PlanCheck, WhatThePlanDoesNotSayIsNoWarning) {
  plan_.origin = {};
  EXPECT_EQ(check(), PlanWarnings());
}

TEST_F(PlanCheck, WarningsAddUp) {
  plan_.program_hash = std::string(64, 'c');
  plan_.origin.machine = "Abacus";
  plan_.origin.ggml_version = "0.0.0";
  EXPECT_EQ(check().size(), 3U);
}

TEST(MachineName, IsOneLineThatStays) {
  EXPECT_FALSE(machine_name().empty());
  EXPECT_EQ(machine_name().find('\n'), std::string::npos);
  EXPECT_EQ(machine_name(), machine_name());
}

}  // namespace
}  // namespace litestage::test
