#pragma once

#include <optional>

#include "app/run.h"
#include "litestage/pipeline.h"
#include "litestage/plan.h"

namespace litestage::app {

/// Reads the plan the settings name, if they do, and lets it say which model and program are run
/// where no flag does.
/// @throws UserError for a plan that cannot be read
std::optional<Plan> take_plan(RunSettings& settings);

/// Says on stderr what makes the plan less fit for this model, program or machine.
/// @throws UserError when it is for another model or program
void warn_about_plan(const Plan& plan, const Model& model, const RunSettings& settings);

/// What stages leave out: by the plan, then by --mask and, above all, by --mask-STAGE.
/// @throws UserError for a mask the model does not allow
PipelineOptions pipeline_options(const RunSettings& settings, const std::optional<Plan>& plan,
                                 const Model& model);

}  // namespace litestage::app
