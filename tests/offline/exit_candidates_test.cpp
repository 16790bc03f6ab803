#include "offline/exit_candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "support/calibration.h"

namespace litestage::test {
namespace {

/// Two questions whose texts have the lengths given, a list for each of the program's stages.
std::vector<TrialDetail> details_of(const std::vector<std::vector<std::size_t>>& lengths) {
  std::vector<TrialDetail> details(2);
  for (TrialDetail& detail : details) {
    detail.trial.correct = true;
    for (const std::vector<std::size_t>& texts : lengths) {
      StageLog& log = detail.stages.emplace_back();
      for (const std::size_t length : texts) {
        std::vector<Token>& text = log.texts.emplace_back();
        for (std::size_t i = 0; i < length; ++i)
          text.push_back(static_cast<Token>(i));
        log.confidences.emplace_back(length, Confidence{1, 1, 0});
      }
    }
  }
  return details;
}

class ExitCandidatesTest : public testing::Test {
 protected:
  ExitCandidatesTest() {
    for (const Stage& stage : program_.stages) {
      StageCandidates& candidates = masks_.stages.emplace_back();
      candidates.stage = stage.name;
      candidates.candidates.resize(3);
      candidates.candidates[0].label = "full";
      candidates.candidates[2].settings.decode.skip(Sublayer::ffn, 1);
      candidates.candidates[2].predicted_ms = 100;
      masks_.result.chosen.push_back(2);
    }
  }

  const Program program_ = parse_program(calibration_program(), "program.toml");
  SearchFile masks_;
};

TEST_F(ExitCandidatesTest, TextsThatOnlyOtherStagesReadAreTriedWithBudgets) {
  const auto stages = exit_candidates(program_, masks_, details_of({{40}, {16, 8}, {}}), {});
  ASSERT_EQ(stages.size(), 3U);
  using Budgets = std::vector<std::pair<int, long>>;  // with tenths of predicted milliseconds
  const auto budgets_of = [&](std::size_t stage) {
    Budgets budgets;
    for (const Candidate& candidate : stages[stage].candidates) {
      const ExitRule& rule = candidate.settings.exit;
      if (rule.max_tokens == 0) continue;
      EXPECT_TRUE(rule.rollback);
      EXPECT_FALSE(rule.watches_confidence());
      EXPECT_EQ(candidate.settings.decode, masks_.stages[0].candidates[2].settings.decode);
      budgets.emplace_back(rule.max_tokens, std::lround(10 * candidate.predicted_ms));
    }
    return budgets;
  };
  EXPECT_EQ(budgets_of(0), (Budgets{{1, 25}, {10, 250}, {20, 500}}));
  // The median of 8, 8, 16, 16 is taken from above.
  EXPECT_EQ(budgets_of(1), (Budgets{{1, 83}, {4, 333}, {8, 667}}));
  EXPECT_EQ(budgets_of(2), Budgets{});  // a choice writes nothing
}

TEST_F(ExitCandidatesTest, ShortTextsHaveFewBudgetsAndNoTextsNone) {
  const auto stages = exit_candidates(program_, masks_, details_of({{2}, {1, 1}, {}}), {});
  const auto count = [&](std::size_t stage) {
    return std::ranges::count_if(stages[stage].candidates, [](const Candidate& candidate) {
      return candidate.settings.exit.max_tokens > 0;
    });
  };
  EXPECT_EQ(count(0), 1);
  EXPECT_EQ(count(1), 0);
  EXPECT_EQ(exit_candidates(program_, masks_, details_of({{0}, {0, 0}, {}}), {}).size(), 3U);
}

TEST_F(ExitCandidatesTest, AsInThePaperOnlyTheLargestLogitEndsTexts) {
  // Confidence falls towards the end of each text, by every measure.
  auto details = details_of({{40}, {16, 8}, {}});
  for (TrialDetail& detail : details) {
    for (StageLog& log : detail.stages) {
      for (std::vector<Confidence>& text : log.confidences) {
        for (std::size_t i = 0; i < text.size(); ++i) {
          const auto left = static_cast<float>(text.size() - i);
          text[i] = {left, left / 100, -1 / left};
        }
      }
    }
  }
  ExitRuleOptions options{.count = 2, .most_right_cut = 1, .as_in_paper = true};
  const auto stages = exit_candidates(program_, masks_, details, options);
  ASSERT_GT(stages[0].candidates.size(), 2U);
  for (const StageCandidates& stage : stages) {
    for (std::size_t i = 2; i < stage.candidates.size(); ++i) {
      const ExitRule& rule = stage.candidates[i].settings.exit;
      EXPECT_TRUE(rule.watches_confidence());
      EXPECT_EQ(rule.confidence, ConfidenceKind::largest_logit);
      EXPECT_FALSE(rule.rollback);
      EXPECT_EQ(rule.max_tokens, 0);
    }
  }
  options.as_in_paper = false;
  EXPECT_GT(exit_candidates(program_, masks_, details, options)[0].candidates.size(),
            stages[0].candidates.size());
}

TEST_F(ExitCandidatesTest, AStagesWholeHeadCountsAgainstRulesThatNeedIt) {
  auto details = details_of({{40}, {16, 8}, {}});
  for (TrialDetail& detail : details) {
    std::vector<Confidence>& text = detail.stages[0].confidences[0];
    for (std::size_t i = 0; i < text.size(); ++i) {
      // The largest probability is lowest at once, the others at the end.
      const auto at = static_cast<float>(i);
      text[i] = {40 - at, 0.1F + at / 100, -1 - at / 10};
    }
  }
  const ExitRuleOptions options{.count = 1, .most_right_cut = 1};
  const auto predicted = [&](const std::vector<double>& whole_head) {
    std::vector<double> ms;
    const std::vector<StageCandidates> found =
        exit_candidates(program_, masks_, details, options, whole_head);
    for (const Candidate& candidate : found[0].candidates) {
      if (candidate.settings.exit.confidence == ConfidenceKind::largest_probability)
        ms.push_back(candidate.predicted_ms);
    }
    return ms;
  };
  const std::vector<double> free = predicted({});
  ASSERT_EQ(free.size(), 2U) << "cut back, and not";
  const std::vector<double> costly = predicted({1.2, 1, 1});
  ASSERT_EQ(costly.size(), 2U);
  EXPECT_NEAR(costly[0], 1.2 * free[0], 1e-9);
  EXPECT_EQ(predicted({1, 3, 1}), free) << "another stage's";
  EXPECT_TRUE(predicted({20, 1, 1}).empty());
}

TEST_F(ExitCandidatesTest, TheFullModelAndTheChosenMasksComeFirst) {
  for (const StageCandidates& stage :
       exit_candidates(program_, masks_, details_of({{40}, {16, 8}, {}}), {})) {
    EXPECT_EQ(stage.candidates[0].label, "full");
    EXPECT_EQ(stage.candidates[1].label, "no rule");
    EXPECT_EQ(stage.candidates[1].settings, masks_.stages[0].candidates[2].settings);
  }
}

}  // namespace
}  // namespace litestage::test
