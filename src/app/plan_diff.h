#pragma once

#include <string>

#include "app/terminal.h"
#include "litestage/plan.h"

namespace litestage::app {

/// What differs between two plans, stage by stage and in what was measured; one line a difference,
/// named by its key in the file. Empty when nothing does.
std::string format_plan_diff(const Plan& before, const Plan& after, const Style& style);

}  // namespace litestage::app
