// `litestage plan` as its users call it.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/plan_diff.h"
#include "app/plan_view.h"
#include "litestage/model.h"
#include "litestage/plan.h"
#include "litestage/program.h"
#include "support/contains.h"
#include "support/run_program.h"
#include "support/sample_plans.h"
#include "support/temporary.h"
#include "support/tiny_model.h"

namespace litestage::test {
namespace {

class PlanVerb : public testing::Test {
 protected:
  PlanVerb() : path_(folder_ / "plan.json") { save_plan(sample_plan(), path_); }

  static std::string output_of(const std::vector<std::string>& arguments) {
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    EXPECT_EQ(result.errors, "");
    return result.output;
  }

  static void expect_refused(const std::vector<std::string>& arguments, const std::string& part) {
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.output, "");
    EXPECT_TRUE(contains(result.errors, part)) << result.errors;
    EXPECT_EQ(std::ranges::count(result.errors, '\n'), 1) << result.errors;
  }

  TemporaryFolder folder_;
  std::string path_;
};

TEST_F(PlanVerb, ShowPicturesEachStage) {
  const std::string text = output_of({"plan", "show", path_});
  EXPECT_TRUE(
      contains(text,
               "Stage plan: of 48 sublayers 2 are left out while reading, 4 while writing\n"
               "layer      0         10        20\n"
               "           012345678901234567890123\n"
               "attention  .....w..................\n"
               "FFN        ..........##w...........\n"
               "reading    f10,f11*1.5\n"
               "writing    a5*1.04,f10-12\n"
               "ends       as the program says, or when the largest probability of the last "
               "16 tokens is at most 0.25 on average; as soon as its answer stands there; "
               "when it goes round in circles; after 96 tokens\n"))
      << text;
  EXPECT_TRUE(contains(text, "attention  ...#....................\n")) << text;
  EXPECT_TRUE(contains(text, "ends       as the program says\n")) << text;
}

TEST_F(PlanVerb, ShowSaysWhatWasMeasured) {
  const std::string text = output_of({"plan", "show", path_});
  EXPECT_TRUE(contains(text,
                       "58 of 100 right, 60 with the full model (5 lost, 3 gained): loss 2.0 "
                       "points, at most 5.5 with 90 % confidence\n"))
      << text;
  EXPECT_TRUE(contains(text, "1.30x as fast (95 % interval 1.25 to 1.35): 2000 ms and 80.2 tokens"))
      << text;
  EXPECT_TRUE(contains(text, "Qwen2.5 Coder 0.5B Instruct, 24 layers (aaaaaaaaaaaa)")) << text;
  EXPECT_TRUE(contains(text, "2 questions of demo.jsonl")) << text;
  EXPECT_TRUE(contains(text, "A CPU, 1 thread, head: preview of 256 dimensions\n")) << text;
  EXPECT_TRUE(contains(text, "2026-01-31T12:00:00Z")) << text;
}

TEST_F(PlanVerb, ShowSaysWhatWasNotMeasured) {
  Plan plan = sample_plan();
  plan.accuracy.reset();
  plan.latency.reset();
  plan.origin = {};
  save_plan(plan, path_);
  const std::string text = output_of({"plan", "show", path_});
  EXPECT_TRUE(contains(text, "accuracy   not measured\nspeed      not measured\n")) << text;
  EXPECT_TRUE(contains(text, "by hand\n")) << text;
}

TEST_F(PlanVerb, ColoursAreForTerminalsAlone) {
  EXPECT_FALSE(contains(output_of({"plan", "show", path_}), "\033"));
  const Plan plan = sample_plan();
  EXPECT_TRUE(contains(app::format_plan(plan, "p", app::Style(true)), "\033[36mStage plan\033[0m"));
  EXPECT_FALSE(contains(app::format_plan(plan, "p", app::Style(false)), "\033"));
}

TEST_F(PlanVerb, WideModelsAreBrokenIntoRows) {
  Plan plan = sample_plan();
  plan.layers = 70;
  plan.stages[0].second.decode.skip(Sublayer::ffn, 69);
  const std::string text = app::format_plan(plan, "p", app::Style(false));
  EXPECT_TRUE(contains(text, "layer      60\n           0123456789\n")) << text;
  EXPECT_TRUE(contains(text, "FFN        .........w\n")) << text;
  EXPECT_FALSE(contains(text, "\n" + std::string(11, ' ') + std::string(61, '0'))) << text;
}

TEST_F(PlanVerb, ShowJsonIsTheCanonicalForm) {
  write_file(path_, nlohmann::json::parse(to_json(sample_plan())).dump());  // other form
  EXPECT_EQ(output_of({"plan", "show", path_, "--json"}), to_json(sample_plan()));
}

TEST_F(PlanVerb, DiffSaysNothingDiffers) {
  EXPECT_EQ(output_of({"plan", "diff", path_, path_}), "the plans are the same\n");
}

TEST_F(PlanVerb, DiffNamesWhatDiffers) {
  Plan plan = sample_plan();
  plan.kv_reuse = KvReuse::exact;
  plan.stages[0].second.decode.skip(Sublayer::ffn, 13);
  plan.stages[1].second.exit.threshold = 12.5;
  plan.accuracy->loss_bound = 4;
  plan.latency.reset();
  plan.origin.questions.emplace_back("00000000000000ff");
  const std::string other = folder_ / "other.json";
  save_plan(plan, other);
  const std::string text = output_of({"plan", "diff", path_, other});
  for (const char* line :
       {"kv_reuse: \"whole\" -> \"exact\"\n",
        "stages[plan].decode: a5*1.04,f10-12 -> a5*1.04,f10-13\n",
        "stages[solve].exit.threshold: null -> 12.5\n", "accuracy.loss_bound: 5.5 -> 4.0\n",
        "latency.speedup: 1.3 -> (absent)\n", "origin.questions: 2 -> 3, of which 2 are in both\n"})
    EXPECT_TRUE(contains(text, line)) << line << "\n" << text;
  EXPECT_EQ(std::ranges::count(text, '\n'), 14) << text;  // latency has nine keys
}

TEST_F(PlanVerb, DiffMatchesStagesByName) {
  Plan plan = sample_plan();
  std::swap(plan.stages[0], plan.stages[1]);
  EXPECT_EQ(app::format_plan_diff(sample_plan(), plan, app::Style(false)), "");
  plan.stages[0].first = "answer";
  const std::string text = app::format_plan_diff(sample_plan(), plan, app::Style(false));
  EXPECT_TRUE(contains(text, "stages[solve].decode: a3 -> (absent)\n")) << text;
  EXPECT_TRUE(contains(text, "stages[answer].decode: (absent) -> a3\n")) << text;
  EXPECT_FALSE(contains(text, "stages[plan]")) << text;
}

TEST_F(PlanVerb, ValidateWarnsOfMeasurementsMadeElsewhere) {
  const std::string text = output_of({"plan", "validate", path_, "-t", "1"});
  EXPECT_TRUE(text.starts_with(path_ + ": valid\nwarning: " + path_ + ": it was measured on A CPU"))
      << text;
  EXPECT_TRUE(contains(text, "with ggml 0.0.2")) << text;
  EXPECT_EQ(std::ranges::count(text, '\n'), 4) << text;  // machine, litestage, ggml
}

TEST_F(PlanVerb, ValidateChecksModelAndProgram) {
  TinyModel(TinyOptions{}).write(folder_ / "tiny.gguf");
  const std::string model = folder_ / "tiny.gguf";
  const std::string program = folder_ / "two.toml";
  write_file(program,
             "format = \"plain\"\n[[stage]]\nname = \"plan\"\nprompt = \"{{question}}\"\n"
             "[[stage]]\nname = \"solve\"\nprompt = \"{{stage.plan}}\"\n");
  expect_refused({"plan", "validate", path_, "-m", model}, "it was made for Qwen2.5 Coder");

  Plan plan = sample_plan();
  plan.model_hash = model_hash(*Model::load(model));
  plan.layers = TinyOptions{}.layers;
  plan.program = "two";
  plan.program_hash = load_program(program).hash;
  plan.stages = {{"plan", {}}, {"solve", {}}};
  plan.origin = {};
  save_plan(plan, path_);
  EXPECT_EQ(output_of({"plan", "validate", path_, "-m", model, "--program", program}),
            path_ + ": valid\n");

  write_file(program, "[[stage]]\nname = \"plan\"\nprompt = \"{{question}}\"\n");
  expect_refused({"plan", "validate", path_, "--program", program}, "has no stage 'solve'");
}

TEST_F(PlanVerb, PlansThatCannotBeReadAreErrors) {
  write_file(folder_ / "bad.json", "{\"schema\": 1, \"schema\": 1}");
  const std::string bad = folder_ / "bad.json";
  expect_refused({"plan", "show", bad}, "bad.json: schema: the key stands there twice");
  expect_refused({"plan", "diff", path_, bad}, "bad.json: schema");
  expect_refused({"plan", "validate", bad}, "bad.json: schema");
  expect_refused({"plan", "show", folder_ / "missing.json"}, "there is no such file");
}

TEST_F(PlanVerb, MistypedCommandsAreErrors) {
  expect_refused({"plan"}, "no verb given, there are show, diff, validate; see 'litestage plan");
  expect_refused({"plan", "sho", path_}, "unknown verb 'sho' (did you mean 'show'?)");
  expect_refused({"plan", "show"}, "plan show: PLAN is required; see 'litestage plan show --help'");
  expect_refused({"plan", "show", path_, "--jsn"}, "(did you mean '--json'?)");
  expect_refused({"plan", "show", path_, "more"}, "plan show: unexpected argument 'more'");
}

TEST_F(PlanVerb, EveryHelpHasExamples) {
  for (const std::string verb : {"show", "diff", "validate"}) {
    EXPECT_TRUE(
        contains(output_of({"plan", verb, "--help"}), "Examples:\n  litestage plan " + verb))
        << verb;
  }
}

}  // namespace
}  // namespace litestage::test
