#include "offline/racing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace litestage {
namespace {

/// How one simulated candidate ran.
struct Outcome {
  bool out = false;
  int questions = 0;
};

/// Draws questions with these chances until the candidate is out or they are at an end.
Outcome simulate(std::mt19937& random, int questions, double lost, double gained, double max_loss,
                 double error) {
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<bool> full;
  std::vector<bool> plan;
  for (int i = 0; i < questions; ++i) {
    const double draw = uniform(random);
    const bool is_lost = draw < lost;
    const bool is_gained = !is_lost && draw < lost + gained;
    const bool alike = uniform(random) < 0.6;
    full.push_back(is_lost || (!is_gained && alike));
    plan.push_back(is_gained || (!is_lost && alike));
  }
  Race race(full, max_loss, error);
  Outcome run;
  while (run.questions < questions && !run.out)
    run.out = race.add(plan[static_cast<std::size_t>(run.questions++)]);
  return run;
}

/// Longer than any question set, so that certainty plays no part before the bets do.
constexpr int LONG = 3000;

TEST(Race, DropsACandidateWithinTheLimitNoMoreOftenThanSaid) {
  struct Truth {
    double lost;
    double gained;
    double max_loss;
  };
  std::mt19937 random(1);
  constexpr int RUNS = 1500;
  for (const Truth& truth : {Truth{0.02, 0, 2}, Truth{0.12, 0.10, 2}, Truth{0.3, 0.25, 5}}) {
    int dropped = 0;
    for (int i = 0; i < RUNS; ++i) {
      // Only the first questions count: at the end of the set a loss over the limit is certain.
      const Outcome run = simulate(random, LONG, truth.lost, truth.gained, truth.max_loss, 0.1);
      dropped += run.out && run.questions < LONG / 2 ? 1 : 0;
    }
    // 0.1 and three standard errors.
    EXPECT_LE(dropped, RUNS * (0.1 + 3 * 0.0078)) << truth.lost;
  }
}

TEST(Race, DropsABadCandidateEarly) {
  std::mt19937 random(2);
  constexpr int RUNS = 300;
  double questions = 0;
  for (int i = 0; i < RUNS; ++i) {
    const Outcome run = simulate(random, 400, 0.3, 0.05, 2, 0.05);
    EXPECT_TRUE(run.out);
    questions += run.questions;
  }
  EXPECT_LT(questions / RUNS, 60);
}

TEST(Race, WealthCrossesWhereTheFormulaSays) {
  // Every question is lost. With max_loss 0 the bets are the grid's shares themselves.
  const std::vector<double> shares = {0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9};
  int expected = 0;
  for (double wealth = 1; wealth < 1 / 0.01; ++expected) {
    wealth = 0;
    for (const double share : shares)
      wealth += std::pow(1 + share, expected + 1) / 8;
  }
  // Enough questions that the full model has wrong, so that nothing is certain.
  std::vector<bool> full(200, false);
  for (int i = 0; i < 50; ++i)
    full[static_cast<std::size_t>(i)] = true;
  Race race(full, 0, 0.01);
  int questions = 0;
  while (!race.out() && questions < 50) {
    race.add(false);
    ++questions;
  }
  EXPECT_EQ(questions, expected);
  EXPECT_LT(questions, 15);
}

TEST(Race, WithoutErrorOnlyWhatIsCertainEndsIt) {
  // 10 questions, all right with the full model; 2 may be lost.
  Race race(std::vector<bool>(10, true), 20, 0);
  EXPECT_FALSE(race.add(false));
  EXPECT_FALSE(race.add(false));
  EXPECT_TRUE(race.add(false));
  EXPECT_EQ(race.counts().lost, 3);
}

TEST(Race, GainsToComeKeepItAlive) {
  // The full model has the last two wrong: they may make up for two that are lost.
  Race race({true, true, true, false, false}, 20, 0);
  EXPECT_FALSE(race.add(false));
  EXPECT_FALSE(race.add(false));
  EXPECT_FALSE(race.add(false));
  EXPECT_FALSE(race.add(true));
  EXPECT_FALSE(race.add(true));
  EXPECT_EQ(race.counts().lost, 3);
  EXPECT_EQ(race.counts().gained, 2);
  EXPECT_EQ(race.correct(), 2);
  EXPECT_EQ(race.full_correct(), 3);
}

TEST(Race, AGainThatDidNotComeEndsIt) {
  Race race({true, true, true, false, false}, 20, 0);
  race.add(false);
  race.add(false);
  race.add(false);
  EXPECT_TRUE(race.add(false));
  EXPECT_TRUE(race.add(true));  // out stays out
}

}  // namespace
}  // namespace litestage
