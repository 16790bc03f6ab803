#include "offline/exit_replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "stage/generate.h"
#include "support/decoder_tools.h"

namespace litestage::test {
namespace {

/// Confidences of all kinds that rise and fall together.
std::vector<Confidence> confidences_of(const std::vector<float>& logits) {
  std::vector<Confidence> confidences;
  for (const float logit : logits)
    confidences.push_back({logit, 1 / (1 + std::exp(-logit)), logit / 10 - 3});
  return confidences;
}

ExitRule rule_of(int window, double threshold) {
  ExitRule rule;
  rule.window = window;
  rule.threshold = threshold;
  return rule;
}

TEST(Replay, EndsWhereTheMeanFallsToTheThreshold) {
  const auto text = confidences_of({9, 9, 9, 3, 3, 9, 9});
  // Means of two: 9 9 6 3 6 9.
  EXPECT_EQ(replay(rule_of(2, 6), text), (ReplayEnd{4, true}));
  EXPECT_EQ(replay(rule_of(2, 5.9), text), (ReplayEnd{5, true}));
  EXPECT_EQ(replay(rule_of(2, 2.9), text), (ReplayEnd{7, false}));
  EXPECT_EQ(replay(rule_of(8, 100), text), (ReplayEnd{7, false})) << "the window never fills";
  EXPECT_EQ(replay(rule_of(7, 100), text), (ReplayEnd{7, true}));
  EXPECT_EQ(replay(ExitRule{}, text), (ReplayEnd{7, false}));
  EXPECT_EQ(replay(rule_of(2, 6), {}), (ReplayEnd{0, false}));
}

/// Writes with a tiny model, greedy but for a little noise.
GeneratedText generated(const LoadedTiny& tiny, const std::vector<Token>& prompt,
                        const ExitRule& rule, std::uint32_t seed, bool record) {
  Decoder decoder(tiny.model(), small_decoder());
  const ForwardResult first = decoder.forward(
      [&] {
        std::vector<BatchToken> batch = batch_of(prompt);
        for (BatchToken& token : batch)
          token.want_logits = false;
        batch.back().want_logits = true;
        return batch;
      }(),
      {});
  SamplerOptions sampling;
  sampling.temperature = 1;
  sampling.seed = seed;
  std::vector<GenerationBranch> branches;
  branches.push_back({0, Sampler(tiny.model()->tokenizer(), sampling)});
  GenerationLimits limits;
  limits.max_tokens = 48;
  limits.exit = rule;
  limits.exit.rollback = false;
  limits.record_confidence = record;
  return generate(
             decoder, {}, nullptr, first, std::move(branches), limits, [](int, std::string_view) {},
             nullptr)
      .front();
}

TEST(Replay, EqualsGeneration) {
  const LoadedTiny tiny{TinyOptions{}};
  int fired = 0;
  for (std::uint32_t seed = 1; seed <= 6; ++seed) {
    const std::vector<Token> prompt = {5, 9, static_cast<Token>(10 + seed)};
    const GeneratedText whole = generated(tiny, prompt, {}, seed, true);
    ASSERT_EQ(whole.confidences.size(), whole.tokens.size());
    ReplayText text{whole.confidences, 0, false};
    for (const RatedExitRule& rated : exit_rule_candidates(std::vector{text}, {12, 1})) {
      const ReplayEnd end = replay(rated.rule, whole.confidences);
      for (const bool record : {false, true}) {
        const GeneratedText cut = generated(tiny, prompt, rated.rule, seed, record);
        ASSERT_EQ(cut.tokens.size(), end.tokens) << rated.rule.window;
        EXPECT_TRUE(std::equal(cut.tokens.begin(), cut.tokens.end(), whole.tokens.begin()));
        EXPECT_EQ(cut.reason == StopReason::low_confidence, end.fired);
      }
      fired += end.fired ? 1 : 0;
    }
  }
  EXPECT_GT(fired, 20);
}

/// Texts of 60 tokens at confidence 20 with noise. Wrong questions' texts fall to 5 from the 30th
/// token on; right ones do not.
std::vector<ReplayText> texts_that_tell(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> noise(0, 1);
  std::vector<ReplayText> texts;
  for (int question = 0; question < 40; ++question) {
    ReplayText text;
    text.question = question;
    text.correct = question % 2 == 0;
    std::vector<float> logits;
    for (int i = 0; i < 60; ++i)
      logits.push_back((!text.correct && i >= 30 ? 5.0F : 20.0F) + noise(random));
    text.confidences = confidences_of(logits);
    texts.push_back(std::move(text));
  }
  return texts;
}

TEST(ExitRuleCandidates, CutWhatFallsAndSpareWhatDoesNot) {
  const auto texts = texts_that_tell(3);
  const auto rules = exit_rule_candidates(texts, {3, 0});
  ASSERT_FALSE(rules.empty());
  EXPECT_LE(rules.size(), 3U);
  EXPECT_EQ(rules.front().right, 20);
  EXPECT_EQ(rules.front().right_cut, 0);
  EXPECT_EQ(rules.front().texts_cut, 20);
  EXPECT_EQ(rules.front().tokens, 40 * 60);
  // Half of the texts lose nearly half of their tokens.
  EXPECT_GT(rules.front().tokens_saved, 20 * 25);
}

TEST(ExitRuleCandidates, AreOrderedDistinctAndWithinTheCap) {
  const auto texts = texts_that_tell(4);
  for (const double cap : {0.0, 0.2, 1.0}) {
    const auto rules = exit_rule_candidates(texts, {50, cap});
    ASSERT_GT(rules.size(), 1U);
    std::vector<std::vector<std::size_t>> cuts;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      EXPECT_LE(rules[i].right_cut, cap * rules[i].right);
      EXPECT_GT(rules[i].tokens_saved, 0);
      if (i > 0) {
        EXPECT_LE(rules[i].tokens_saved, rules[i - 1].tokens_saved);
      }
      long saved = 0;
      cuts.emplace_back();
      for (const ReplayText& text : texts) {
        cuts.back().push_back(replay(rules[i].rule, text.confidences).tokens);
        saved += 60 - static_cast<long>(cuts.back().back());
      }
      EXPECT_EQ(saved, rules[i].tokens_saved);
    }
    std::ranges::sort(cuts);
    EXPECT_EQ(std::ranges::adjacent_find(cuts), cuts.end()) << "two rules cut alike";
  }
}

double share_saved(const RatedExitRule& rated) {
  return static_cast<double>(rated.tokens_saved) / static_cast<double>(rated.tokens);
}

// Confidences of all kinds fall together here, so that rules of any kind save as many tokens.
TEST(ExitRuleCandidates, WhatNeedsTheWholeHeadMustSaveThatToo) {
  const auto texts = texts_that_tell(5);
  const auto counted = [](const std::vector<RatedExitRule>& rules) {
    return std::ranges::count_if(rules, [](const RatedExitRule& rated) {
      return rated.rule.confidence != ConfidenceKind::largest_logit;
    });
  };
  ExitRuleOptions options{.count = 500, .most_right_cut = 1};
  const auto free = exit_rule_candidates(texts, options);
  ASSERT_GT(counted(free), 0);
  for (const RatedExitRule& rated : free)
    EXPECT_NEAR(rated.saved, share_saved(rated), 1e-12);

  options.whole_head = 1.25;
  const auto costly = exit_rule_candidates(texts, options);
  ASSERT_GT(counted(costly), 0) << "some save more than that";
  EXPECT_LT(counted(costly), counted(free));
  for (std::size_t i = 0; i < costly.size(); ++i) {
    const RatedExitRule& rated = costly[i];
    const double kept = 1 - share_saved(rated);
    const bool all = rated.rule.confidence != ConfidenceKind::largest_logit;
    EXPECT_NEAR(rated.saved, 1 - kept * (all ? 1.25 : 1.0), 1e-12);
    EXPECT_GT(rated.saved, 0);
    if (i > 0) {
      EXPECT_LE(rated.saved, costly[i - 1].saved);
    }
  }
  options.whole_head = 100;
  EXPECT_EQ(counted(exit_rule_candidates(texts, options)), 0);
}

TEST(ExitRuleCandidates, AQuestionWithSeveralTextsCountsOnce) {
  std::vector<ReplayText> texts;
  for (int branch = 0; branch < 4; ++branch) {
    std::vector<float> logits(40, 20.0F);
    std::fill(logits.begin() + 20, logits.end(), 2.0F);
    texts.push_back({confidences_of(logits), 7, true});
  }
  const auto rules = exit_rule_candidates(texts, {1, 1});
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules.front().right, 1);
  EXPECT_EQ(rules.front().right_cut, 1);
  EXPECT_EQ(rules.front().texts_cut, 4);
}

TEST(ExitRuleCandidates, OfTextsTooShortForAnyWindowThereAreNone) {
  const std::vector<ReplayText> texts = {{confidences_of({1, 2, 3}), 0, false}};
  EXPECT_TRUE(exit_rule_candidates(texts).empty());
  EXPECT_TRUE(exit_rule_candidates({}).empty());
}

}  // namespace
}  // namespace litestage::test
