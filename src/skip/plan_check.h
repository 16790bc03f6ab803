#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "litestage/plan.h"

namespace litestage {

// The parts of `check_plan`, for whoever has not all that it asks for.

/// @throws UserError when the plan is for another model
void check_plan_model(const Plan& plan, const Model& model, const std::string& where);

/// @throws UserError when the plan lacks a stage of the program, or the program one of the plan
/// @return a warning when the program is not the one the plan was made for
PlanWarnings check_plan_program(const Plan& plan, std::string_view program,
                                std::string_view program_hash,
                                const std::vector<std::string>& stage_names,
                                const std::string& where);

/// What makes the plan's measurements doubtful on this machine: another processor, thread count,
/// litestage or ggml.
/// @param threads 0: one a physical core
PlanWarnings check_plan_machine(const Plan& plan, const std::string& where, int threads = 0);

}  // namespace litestage
