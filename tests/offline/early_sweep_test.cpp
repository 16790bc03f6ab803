// Where a plan answers early: known answers.
#include "offline/early_sweep.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace litestage::test {
namespace {

/// Four questions of 100 ms, all right with all stages; a look after 20 ms, right for the first
/// two, whose margins are the largest.
EarlyArm four_questions() {
  EarlyArm arm;
  for (const double margin : {0.96, 0.75, 0.45, 0.05})
    arm.trials.push_back({{{margin, margin > 0.5, 20}}, true, 100});
  return arm;
}

const EarlyBase ALL_RIGHT = {{true, true, true, true}, {true, true, true, true}, 90};

TEST(EarlySweep, TakesTheSmallestMarginThatLosesNothing) {
  const EarlySweep sweep = sweep_early_answers(ALL_RIGHT, {four_questions()}, 0);
  const EarlyCandidate& chosen = sweep.candidates[sweep.chosen];
  EXPECT_EQ(chosen.early, (EarlyAnswers{0.75, 0})) << "0.7 to 0.5 leave no more questions";
  EXPECT_EQ(chosen.left, 2);
  EXPECT_EQ(chosen.correct, 4);
  EXPECT_EQ(chosen.lost, 0);
  EXPECT_DOUBLE_EQ(chosen.ms, (20 + 20 + 100 + 100) / 4.0);
}

TEST(EarlySweep, ALargerLimitLeavesMore) {
  const EarlySweep sweep = sweep_early_answers(ALL_RIGHT, {four_questions()}, 25);
  const EarlyCandidate& chosen = sweep.candidates[sweep.chosen];
  EXPECT_EQ(chosen.early, (EarlyAnswers{0.45, 0}));
  EXPECT_EQ(chosen.lost, 1);
  EXPECT_DOUBLE_EQ(chosen.ms, 40);
}

TEST(EarlySweep, LooksThatHardlyEverStopAQuestionAreNotTaken) {
  EarlyArm arm = four_questions();
  for (EarlyTrial& trial : arm.trials)
    trial.looks[0].margin = 0;
  const EarlySweep sweep = sweep_early_answers(ALL_RIGHT, {arm}, 100);
  EXPECT_EQ(sweep.chosen, 0U) << "a look costs 10 ms and saves nothing";
  EXPECT_EQ(sweep.candidates[0].early, EarlyAnswers{});
  EXPECT_DOUBLE_EQ(sweep.candidates[0].ms, 90);
}

TEST(EarlySweep, FewerBranchesAreAWayOfTheirOwn) {
  EarlyArm few = four_questions();
  few.most_branches = 2;
  for (EarlyTrial& trial : few.trials) {
    trial.ms = 60;
    trial.looks[0].correct = false;
  }
  const EarlySweep sweep = sweep_early_answers(ALL_RIGHT, {four_questions(), few}, 0);
  const EarlyCandidate& chosen = sweep.candidates[sweep.chosen];
  // 60 ms for two branches and no early answer; the same for all branches and two early answers.
  EXPECT_DOUBLE_EQ(chosen.ms, 60);
  EXPECT_EQ(chosen.lost, 0);
  const auto never = [](const EarlyCandidate& c) {
    return c.early == EarlyAnswers{EarlyAnswers::NEVER, 2};
  };
  EXPECT_EQ(std::ranges::count_if(sweep.candidates, never), 1);
}

TEST(EarlySweep, AskingFirstIsAWayOfItsOwn) {
  EarlyArm first = four_questions();
  first.ask_first = true;
  for (EarlyTrial& trial : first.trials)
    trial.looks.insert(trial.looks.begin(), {trial.looks[0].margin, trial.looks[0].correct, 5});
  const EarlySweep sweep = sweep_early_answers(ALL_RIGHT, {four_questions(), first}, 0);
  const EarlyCandidate& chosen = sweep.candidates[sweep.chosen];
  EXPECT_EQ(chosen.early, (EarlyAnswers{0.75, 0, true}));
  EXPECT_DOUBLE_EQ(chosen.ms, (5 + 5 + 100 + 100) / 4.0);
  const auto useless = [](const EarlyCandidate& c) {
    return c.early.ask_first && c.early.leave_at > 1;
  };
  EXPECT_EQ(std::ranges::count_if(sweep.candidates, useless), 0);
}

TEST(EarlySweep, TheLossIsToTheFullModelAndNotToThePlan) {
  EarlyBase base = ALL_RIGHT;
  base.plan_correct = {false, false, true, true};  // the plan's masks lost two
  EarlyArm arm = four_questions();
  arm.trials[0].correct = arm.trials[1].correct = false;
  const EarlySweep sweep = sweep_early_answers(base, {arm}, 0);
  EXPECT_EQ(sweep.candidates[0].lost, 2);
  const EarlyCandidate& chosen = sweep.candidates[sweep.chosen];
  EXPECT_EQ(chosen.early, (EarlyAnswers{0.75, 0}))
      << "early answers are right where the plan is not";
  EXPECT_EQ(chosen.lost, 0);
}

TEST(EarlySweep, QuestionsWithoutLooksGoOn) {
  EarlyArm arm = four_questions();
  for (EarlyTrial& trial : arm.trials)
    trial.looks.clear();
  const EarlySweep sweep = sweep_early_answers(ALL_RIGHT, {arm}, 100);
  EXPECT_EQ(sweep.chosen, 0U);
  EXPECT_EQ(sweep.candidates.back().left, 0);
}

}  // namespace
}  // namespace litestage::test
