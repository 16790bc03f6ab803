#include "offline/plan_confirmation.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "eval/paired_accuracy.h"
#include "offline/answers_ahead.h"

namespace litestage {
namespace {

PairedCounts paired(const std::vector<bool>& full, const std::vector<bool>& plan) {
  PairedCounts counts;
  for (std::size_t i = 0; i < full.size(); ++i)
    counts.add(full[i], plan[i]);
  return counts;
}

bool leaves_nothing_out(const Plan& plan) {
  return !plan.early.any() && std::ranges::all_of(plan.stages, [](const auto& stage) {
    return stage.second == StageSettings{};
  });
}

/// Takes the search's last step back. @return what that was; nothing when nothing is left to take
std::optional<std::string> step_back(PlanSearchResult& result) {
  if (result.plan.early.any()) {
    result.plan.early = {};
    result.masks.early.chosen = 0;
    return "early answers";
  }
  if (result.exits) {
    if (const auto stage = refute(result.exits->result)) {
      result.plan.stages = result.exits->settings(result.exits->result.chosen);
      return fmt::format("the rule that ends {}", *stage);
    }
  }
  const auto stage = refute(result.masks.result);
  if (!stage) return std::nullopt;
  result.exits.reset();  // they were found for other masks
  result.plan.stages = result.masks.settings(result.masks.result.chosen);
  return fmt::format("the mask of {}", *stage);
}

}  // namespace

bool confirm_plan(PlanSearchResult& result, const SearchOptions& options,
                  const FreshAnswers& answers) {
  const auto full = answers(full_model(result.plan.kv_reuse), "full model");
  if (!full) return false;
  std::string name = "plan";
  for (int looks = 1;; ++looks) {
    const auto planned = answers(result.plan, name);
    if (!planned) return false;
    const PairedCounts counts = paired(*full, *planned);
    MeasuredAccuracy accuracy;
    accuracy.questions = counts.questions;
    accuracy.full_correct = static_cast<int>(std::ranges::count(*full, true));
    accuracy.plan_correct = static_cast<int>(std::ranges::count(*planned, true));
    accuracy.lost = counts.lost;
    accuracy.gained = counts.gained;
    accuracy.bound_level = options.bound_level;
    // The plan stands that these very questions let stand first, so all looks share the error: the
    // first bears a half of it, the second a quarter, and so on.
    accuracy.loss_bound =
        leaves_nothing_out(result.plan)
            ? 0
            : loss_upper_bound(counts, std::ldexp(1 - accuracy.bound_level, -looks));
    result.plan.accuracy = accuracy;
    if (counts.within(options.max_loss + counts.loss_error())) return true;
    const auto taken_back = step_back(result);
    if (!taken_back) return true;
    name = fmt::format("plan without {}", *taken_back);
  }
}

}  // namespace litestage
