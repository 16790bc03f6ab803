#pragma once

#include <optional>
#include <string>

#include "app/run.h"
#include "litestage/pipeline.h"
#include "litestage/plan.h"
#include "litestage/program.h"

namespace litestage::app {

/// Reads the plan the settings name, if they do, and lets it say which model and program are run
/// where no flag does.
/// @throws UserError for a plan that cannot be read
std::optional<Plan> take_plan(RunSettings& settings);

/// Says on stderr what makes a plan less fit for this model, program or machine.
/// @param model null: it is not the plan's, and only the program is looked at
/// @param where the plan's file
/// @param threads as in DecoderOptions
/// @throws UserError when it is for another model or program
void warn_about_plan(const Plan& plan, const Model* model, const Program& program,
                     const std::string& where, int threads);

/// Lets stages leave out what a plan says, and end texts by its rules.
void apply_plan(const Plan& plan, PipelineOptions& options);

/// What stages leave out: by the plan, then by --mask and, above all, by --mask-STAGE.
/// @throws UserError for a mask the model does not allow
PipelineOptions pipeline_options(const RunSettings& settings, const std::optional<Plan>& plan,
                                 const Model& model);

}  // namespace litestage::app
