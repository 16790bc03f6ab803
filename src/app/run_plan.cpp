#include "app/run_plan.h"

#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "litestage/error.h"
#include "skip/plan_check.h"

namespace litestage::app {

std::optional<Plan> take_plan(RunSettings& settings) {
  if (settings.plan.empty()) return std::nullopt;
  Plan plan = load_plan(settings.plan);
  if (!settings.model_named) settings.model.model = plan.model_name;
  if (settings.program.empty()) settings.program = plan.program;
  return plan;
}

void warn_about_plan(const Plan& plan, const Model* model, const Program& program,
                     const std::string& where, int threads) {
  std::vector<std::string> stages;
  for (const Stage& stage : program.stages)
    stages.push_back(stage.name);
  const PlanWarnings warnings =
      model == nullptr
          ? check_plan_program(plan, program.name, program.hash, stages, where)
          : check_plan(plan, *model, program.name, program.hash, stages, where, threads);
  for (const std::string& warning : warnings)
    fmt::print(stderr, "litestage: warning: {}\n", warning);
}

void apply_plan(const Plan& plan, PipelineOptions& options) {
  options.kv_reuse = plan.kv_reuse;
  for (const auto& [stage, settings] : plan.stages)
    options.stages[stage] = settings;
}

PipelineOptions pipeline_options(const RunSettings& settings, const std::optional<Plan>& plan,
                                 const Model& model) {
  const int layers = model.layer_count();
  PipelineOptions options;
  options.votes = settings.votes;
  options.seed = settings.seed;
  if (plan) apply_plan(*plan, options);
  const auto leave_out = [](StageSettings& stage, const SublayerMask& mask) {
    stage.prefill = mask;
    stage.decode = mask;
  };
  if (!settings.mask.empty()) {
    const SublayerMask mask = SublayerMask::parse(settings.mask, layers, "--mask");
    leave_out(options.settings, mask);
    for (auto& [stage, stage_settings] : options.stages)
      leave_out(stage_settings, mask);
  }
  for (const std::string& word : settings.stage_masks) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw UserError("--stage-mask", fmt::format("\"{}\" names no stage", word),
                      "write it like recall=a3,f10-12");
    }
    const std::string stage = word.substr(0, equals);
    leave_out(options.stages[stage],
              SublayerMask::parse(word.substr(equals + 1), layers, "--mask-" + stage));
  }
  return options;
}

}  // namespace litestage::app
