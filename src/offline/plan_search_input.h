#pragma once

#include <string>

#include "offline/plan_search.h"

namespace litestage {

/// What a search works on must go together.
/// @param hash the model's
/// @throws UserError without questions, when importance or plan are of another model or program, or
/// when the method needs damage and there is none
void check_search_input(const PlanSearchInput& input, SearchMethod method, const std::string& hash);

}  // namespace litestage
