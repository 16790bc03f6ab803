// What is chosen again, by new times, and taken back, by what fresh questions said.
#include "offline/sweep_choice.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/planted_search.h"

namespace litestage::test {
namespace {

TEST(Repick, TheSearchsOwnTimesChangeNothing) {
  for (const SearchMethod method : METHODS) {
    for (unsigned seed = 0; seed < 50; ++seed) {
      PlantedWorld world(three_stages(), 60, 0.6, seed, false);
      PlantedStore store;
      world.use_store(store);
      SearchOptions options = options_of(method);
      options.max_loss = 4;
      SearchResult result = budget_search(world.candidates(), world, options);
      const std::string before = summary(result);
      repick(result, store.times);
      EXPECT_EQ(summary(result), before) << seed;
    }
  }
}

TEST(Repick, NewTimesMakeAnotherAcceptedChoiceTheBest) {
  PlantedWorld world(three_stages(), 200, 0.6);
  SearchResult result = budget_search(world.candidates(), world, options_of(SearchMethod::paper));
  ASSERT_EQ(result.chosen, (Choice{2, 2, 0}));
  std::map<Choice, TimedChoice> times;
  for (const Choice& choice : accepted_choices(result))
    times[choice] = {choice == Choice{0, 3, 0} ? 100.0 : 200.0, 1, {20, 60, 20}};
  ASSERT_EQ(times.size(), 5U);  // {0,0,0} {0,1,0} {0,2,0} {0,3,0} {2,2,0}
  repick(result, times);
  EXPECT_EQ(result.chosen, (Choice{0, 3, 0}));
  EXPECT_EQ(result.chosen_time.ms, 100);
  EXPECT_EQ(result.full_time.ms, 200);
  EXPECT_EQ(result.accuracy.lost, 1);
  EXPECT_EQ(record_of(result, "analyze", 3).verdict, Verdict::chosen);
  EXPECT_EQ(record_of(result, "analyze", 2).verdict, Verdict::slower);
  EXPECT_EQ(record_of(result, "recall", 2).verdict, Verdict::slower);
  EXPECT_EQ(record_of(result, "analyze", 4).verdict, Verdict::raced_out);

  // Slower than the full model, all of them: nothing is left out.
  for (auto& [choice, time] : times)
    time.ms = choice == Choice{0, 0, 0} ? 50 : 60;
  repick(result, times);
  EXPECT_EQ(result.chosen, (Choice{0, 0, 0}));
  EXPECT_EQ(result.accuracy.loss_bound, 0);
  EXPECT_EQ(record_of(result, "analyze", 0).verdict, Verdict::chosen);
}

TEST(Refute, TakesTheChoiceBackStepByStep) {
  PlantedWorld world(three_stages(), 200, 0.6);
  SearchResult result = budget_search(world.candidates(), world, options_of(SearchMethod::paper));
  ASSERT_EQ(result.chosen, (Choice{2, 2, 0}));
  EXPECT_EQ(refute(result), "recall");
  EXPECT_EQ(result.chosen, (Choice{0, 2, 0}));
  EXPECT_DOUBLE_EQ(result.chosen_time.ms, 500);
  EXPECT_EQ(record_of(result, "recall", 2).verdict, Verdict::refuted);
  EXPECT_FALSE(record_of(result, "recall", 2).time);
  EXPECT_EQ(record_of(result, "recall", 0).verdict, Verdict::chosen);
  EXPECT_EQ(record_of(result, "analyze", 2).verdict, Verdict::chosen);

  EXPECT_EQ(refute(result), "analyze");
  EXPECT_EQ(result.chosen, (Choice{0, 0, 0}));
  EXPECT_EQ(result.accuracy.lost, 0);
  EXPECT_EQ(result.accuracy.loss_bound, 0);
  EXPECT_EQ(record_of(result, "analyze", 2).verdict, Verdict::refuted);
  EXPECT_EQ(record_of(result, "recall", 0).verdict, Verdict::refuted) << "the same choice";
  EXPECT_EQ(refute(result), std::nullopt) << "nothing is left out";

  // What was refuted is not chosen again, however fast it is elsewhere.
  EXPECT_EQ(accepted_choices(result), (std::vector<Choice>{{0, 0, 0}, {0, 1, 0}, {0, 3, 0}}));
}

TEST(Refute, WhatWasTriedOnTopOfAStepFallsWithIt) {
  PlantedWorld world(three_stages(), 200, 0.6);
  SearchResult result = budget_search(world.candidates(), world, options_of(SearchMethod::paper));
  ASSERT_EQ(result.chosen, (Choice{2, 2, 0}));
  // Another candidate of the later stage, accepted on top of the same step before it.
  SweepRecord beside = record_of(result, "recall", 2);
  beside.choice = {3, 2, 0};
  beside.candidate = 3;
  beside.verdict = Verdict::slower;
  result.sweeps.push_back(beside);

  EXPECT_EQ(refute(result), "recall");
  EXPECT_EQ(result.sweeps.back().verdict, Verdict::slower) << "another candidate of that stage";
  EXPECT_EQ(refute(result), "analyze");
  EXPECT_EQ(result.sweeps.back().verdict, Verdict::refuted) << "it leaves out what was refuted";
  EXPECT_FALSE(result.sweeps.back().time);
  for (const Choice& choice : accepted_choices(result))
    EXPECT_NE(choice[1], 2);
}

TEST(Refute, ASearchThatWentOnFromAChoiceGoesBackToIt) {
  PlantedWorld world(three_stages(), 200, 0.6);
  SearchOptions options = options_of(SearchMethod::paper);
  options.start = {1, 1, 0};
  SearchResult result = budget_search(world.candidates(), world, options);
  ASSERT_NE(result.chosen, options.start);
  int steps = 0;
  while (refute(result))
    ++steps;
  EXPECT_EQ(result.chosen, options.start);
  EXPECT_GE(steps, 1);
}

}  // namespace
}  // namespace litestage::test
