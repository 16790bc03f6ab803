#include "app/run_plan.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "litestage/error.h"
#include "skip/plan_check.h"
#include "stage/plan_options.h"

namespace litestage::app {
namespace {

/// What is kept of stages, how branches are run, and whether texts end by the plan's rules.
void apply_stage_flags(const RunSettings& settings, PipelineOptions& options) {
  if (settings.kv) {
    options.kv_reuse = settings.kv == StageKv::whole ? KvReuse::whole : KvReuse::exact;
    options.keep_kv = settings.kv != StageKv::none;
  }
  options.branches_in_turn = settings.branches_in_turn;
  options.merge_branches = settings.merge_branches;
  if (settings.exit_rules) return;
  for (auto& [stage, stage_settings] : options.stages)
    stage_settings.exit = ExitRule{};
}

}  // namespace

std::vector<Plan> take_plans(RunSettings& settings) {
  std::vector<Plan> plans;
  for (const std::string& path : settings.plans) {
    Plan plan = load_plan(path);
    if (std::ranges::find(plans, plan.program, &Plan::program) != plans.end()) {
      throw UserError(path, fmt::format("is a second plan for the program {}", plan.program),
                      "give one for each program");
    }
    if (!plans.empty() && plan.model_hash != plans[0].model_hash) {
      throw UserError(path, fmt::format("is for another model than {}", settings.plans[0]),
                      "give plans for one model");
    }
    plans.push_back(std::move(plan));
  }
  if (plans.empty()) return plans;
  if (!settings.model_named) settings.model.model = plans[0].model_name;
  if (plans.size() == 1) settings.plan_program = plans[0].program;
  return plans;
}

const Plan* plan_for(const std::vector<Plan>& plans, const std::string& program,
                     const RunSettings& settings) {
  // A single plan may be tried on another program: check_plan says what does not fit.
  if (plans.size() == 1 && !settings.program.empty()) return &plans[0];
  const auto found = std::ranges::find(plans, program, &Plan::program);
  return found == plans.end() ? nullptr : &*found;
}

PlanWarnings plan_warnings(const Plan& plan, const Model* model, const Program& program,
                           const std::string& where, int threads) {
  std::vector<std::string> stages;
  for (const Stage& stage : program.stages)
    stages.push_back(stage.name);
  return model == nullptr
             ? check_plan_program(plan, program.name, program.hash, stages, where)
             : check_plan(plan, *model, program.name, program.hash, stages, where, threads);
}

void say_warnings(const PlanWarnings& warnings) {
  for (const std::string& warning : warnings)
    fmt::print(stderr, "litestage: warning: {}\n", warning);
}

void warn_about_plan(const Plan& plan, const Model* model, const Program& program,
                     const std::string& where, int threads) {
  say_warnings(plan_warnings(plan, model, program, where, threads));
}

PipelineOptions pipeline_options(const RunSettings& settings, const Plan* plan,
                                 const Model& model) {
  const int layers = model.layer_count();
  PipelineOptions options;
  options.votes = settings.votes;
  options.seed = settings.seed;
  if (plan != nullptr) apply_plan(*plan, options);
  if (settings.leave_at) options.early.leave_at = *settings.leave_at;
  options.early.ask_first = options.early.ask_first || settings.ask_first;
  if (settings.ask_first && options.early.leave_at > 1) {
    throw UserError("--ask-first", "no early answer is ever taken",
                    "say from which lead on, by --leave-at");
  }
  apply_stage_flags(settings, options);
  if (settings.most_branches) options.early.most_branches = *settings.most_branches;
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
