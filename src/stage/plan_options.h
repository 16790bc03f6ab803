#pragma once

#include "litestage/pipeline.h"
#include "litestage/plan.h"

namespace litestage {

/// Makes a pipeline run as a plan says: masks, exit rules, KV reuse and early answers.
void apply_plan(const Plan& plan, PipelineOptions& options);

}  // namespace litestage
