// What fresh questions say of a plan, and what its bound promises then.
#include "offline/plan_confirmation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "eval/paired_accuracy.h"
#include "support/planted_search.h"

namespace litestage::test {
namespace {

/// A found plan of two steps: a mask of the second stage, then one of the first.
PlanSearchResult found_plan() {
  PlantedWorld world(three_stages(), 200, 0.6);
  PlanSearchResult result;
  result.masks.stages = world.candidates();
  result.masks.result = budget_search(world.candidates(), world, options_of(SearchMethod::paper));
  EXPECT_EQ(result.masks.result.chosen, (Choice{2, 2, 0}));
  result.plan.stages = result.masks.settings(result.masks.result.chosen);
  return result;
}

/// Forty questions, all right with the full model; the look at hand loses so many of them.
FreshAnswers that_lose(std::vector<int> lost) {
  return [lost = std::move(lost), look = std::size_t{0}](
             const Plan&, const std::string& name) mutable -> std::optional<std::vector<bool>> {
    std::vector<bool> right(40, true);
    if (name == "full model") return right;
    for (int i = 0; i < lost[look]; ++i)
      right[static_cast<std::size_t>(i)] = false;
    ++look;
    return right;
  };
}

TEST(PlanConfirmation, APlanThatLosesNothingStands) {
  PlanSearchResult result = found_plan();
  const auto stages = result.plan.stages;
  ASSERT_TRUE(confirm_plan(result, {}, that_lose({0})));
  EXPECT_EQ(result.plan.stages, stages);
  EXPECT_EQ(result.plan.accuracy->questions, 40);
  EXPECT_DOUBLE_EQ(result.plan.accuracy->loss_bound, loss_upper_bound({40, 0, 0}, 0.025));
}

TEST(PlanConfirmation, StepsAreTakenBackUntilWhatIsLeftStands) {
  PlanSearchResult result = found_plan();
  ASSERT_TRUE(confirm_plan(result, {}, that_lose({9, 2})));
  EXPECT_EQ(result.masks.result.chosen, (Choice{0, 2, 0}));
  EXPECT_EQ(result.plan.stages, result.masks.settings({0, 2, 0}));
  EXPECT_EQ(result.plan.accuracy->lost, 2);
  EXPECT_DOUBLE_EQ(result.plan.accuracy->loss_bound, loss_upper_bound({40, 2, 0}, 0.0125));
}

TEST(PlanConfirmation, WhereNothingIsLeftOutNothingCanBeLost) {
  PlanSearchResult result = found_plan();
  ASSERT_TRUE(confirm_plan(result, {}, that_lose({9, 9, 0})));
  EXPECT_EQ(result.masks.result.chosen, (Choice{0, 0, 0}));
  EXPECT_EQ(result.plan.accuracy->loss_bound, 0);
}

TEST(PlanConfirmation, IsStoppedByAnswersThatAre) {
  PlanSearchResult result = found_plan();
  EXPECT_FALSE(confirm_plan(result, {}, [](const Plan&, const std::string&) {
    return std::optional<std::vector<bool>>();
  }));
}

TEST(PlanConfirmation, TheBoundCoversHoweverManyStepsAreTakenBack) {
  // Every step truly loses what a look may just let pass by luck, so that many looks are taken.
  constexpr int SEEDS = 1500;
  constexpr double TRUE_LOSS = 0.2;
  const PlanSearchResult found = found_plan();
  int stood = 0;
  int wrong = 0;
  for (unsigned seed = 0; seed < SEEDS; ++seed) {
    std::mt19937 random(seed);
    PlanSearchResult result = found;
    const auto answers = [&](const Plan&, const std::string& name) {
      std::vector<bool> right(40, true);
      if (name == "full model") return std::optional(right);
      for (std::size_t i = 0; i < right.size(); ++i)
        right[i] = std::uniform_real_distribution<double>()(random) >= TRUE_LOSS;
      return std::optional(right);
    };
    SearchOptions options;
    options.max_loss = 6;
    ASSERT_TRUE(confirm_plan(result, options, answers));
    if (result.masks.result.chosen == Choice{0, 0, 0}) continue;
    ++stood;
    if (result.plan.accuracy->loss_bound < 100 * TRUE_LOSS) ++wrong;
  }
  EXPECT_GT(stood, SEEDS / 20) << "else nothing is tested";
  // Five in a hundred, and three standard errors.
  EXPECT_LE(wrong, SEEDS * (0.05 + 3 * std::sqrt(0.05 * 0.95 / SEEDS)));
}

}  // namespace
}  // namespace litestage::test
