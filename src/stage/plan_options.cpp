#include "stage/plan_options.h"

namespace litestage {

void apply_plan(const Plan& plan, PipelineOptions& options) {
  options.kv_reuse = plan.kv_reuse;
  options.early = plan.early;
  for (const auto& [stage, settings] : plan.stages)
    options.stages[stage] = settings;
}

}  // namespace litestage
