#pragma once

#include <optional>
#include <string>

#include "app/run.h"
#include "litestage/pipeline.h"
#include "litestage/plan.h"
#include "litestage/program.h"

namespace litestage::app {

/// Reads the plans the settings name and lets them say which model is run where no flag does, and a
/// single one which program where neither flag nor question does.
/// @throws UserError for a plan that cannot be read, plans for several models, or two for a program
std::vector<Plan> take_plans(RunSettings& settings);

/// The plan for a program, by the name or path it was tuned with; a single one is for the program
/// that --program names, too. Null when there is none.
const Plan* plan_for(const std::vector<Plan>& plans, const std::string& program,
                     const RunSettings& settings);

/// What makes a plan less fit for this model, program or machine.
/// @param model null: it is not the plan's, and only the program is looked at
/// @param where the plan's file
/// @param threads as in DecoderOptions
/// @throws UserError when it is for another model or program
PlanWarnings plan_warnings(const Plan& plan, const Model* model, const Program& program,
                           const std::string& where, int threads);

/// On stderr, a line each.
void say_warnings(const PlanWarnings& warnings);

/// Both of these.
void warn_about_plan(const Plan& plan, const Model* model, const Program& program,
                     const std::string& where, int threads);

/// How questions are answered: by the plan, where there is one, then by the flags; what stages
/// leave out by --mask and, above all, by --mask-STAGE.
/// @throws UserError for a mask the model does not allow
PipelineOptions pipeline_options(const RunSettings& settings, const Plan* plan, const Model& model);

}  // namespace litestage::app
