#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "litestage/plan.h"
#include "offline/plan_search.h"

namespace litestage {

/// Which of the questions that the search has not seen are answered right by a plan; nothing when
/// it was stopped.
using FreshAnswers =
    std::function<std::optional<std::vector<bool>>(const Plan& plan, const std::string& name)>;

/// Asks the full model and the found plan questions that the search has not seen. While the plan
/// loses more than may be lost and one standard error, its last step is taken back (early answers,
/// then the rules that end texts, then masks) and what is left is asked again. Sets the plan's
/// accuracy to what was seen last.
/// @return false when it was stopped
bool confirm_plan(PlanSearchResult& result, const SearchOptions& options,
                  const FreshAnswers& answers);

}  // namespace litestage
