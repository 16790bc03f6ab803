#include "litestage/generation_early_exit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "litestage/error.h"
#include "support/logits.h"

namespace litestage::test {
namespace {

/// The definition, in double and without tricks.
Confidence direct(const std::vector<float>& logits) {
  double most = logits[0];
  for (const float logit : logits)
    most = std::max<double>(most, logit);
  double sum = 0;
  for (const float logit : logits)
    sum += std::exp(logit - most);
  double entropy = 0;
  for (const float logit : logits) {
    const double p = std::exp(logit - most) / sum;
    if (p > 0) entropy -= p * std::log(p);
  }
  return {static_cast<float>(most), static_cast<float>(1 / sum), static_cast<float>(-entropy)};
}

TEST(Confidence, AgreesWithItsDefinition) {
  for (const std::size_t count : {1U, 3U, 16U, 17U, 1000U, 49152U, 151936U}) {
    for (const float spread : {0.0F, 0.5F, 3.0F, 40.0F}) {
      const std::vector<float> logits = random_logits(count, spread, 7);
      const Confidence expected = direct(logits);
      const Confidence found = confidence_of(logits);
      EXPECT_EQ(found.largest_logit, expected.largest_logit);
      EXPECT_NEAR(found.largest_probability, expected.largest_probability,
                  1e-5 * expected.largest_probability + 1e-9)
          << count << " " << spread;
      EXPECT_NEAR(found.negative_entropy, expected.negative_entropy,
                  1e-4 * std::abs(expected.negative_entropy) + 1e-6)
          << count << " " << spread;
      for (const auto kind : {ConfidenceKind::largest_logit, ConfidenceKind::largest_probability,
                              ConfidenceKind::negative_entropy})
        EXPECT_EQ(confidence_of(logits, kind), found.of(kind));
    }
  }
}

TEST(Confidence, ATokenThatIsCertain) {
  std::vector<float> logits(1000, -1000.0F);
  logits[3] = 500.0F;
  const Confidence found = confidence_of(logits);
  EXPECT_EQ(found.largest_logit, 500.0F);
  EXPECT_EQ(found.largest_probability, 1.0F);
  EXPECT_NEAR(found.negative_entropy, 0.0F, 1e-6F);
}

TEST(ConfidenceKindNames, RoundTrip) {
  for (const auto kind : {ConfidenceKind::largest_logit, ConfidenceKind::largest_probability,
                          ConfidenceKind::negative_entropy})
    EXPECT_EQ(parse_confidence_kind(to_string(kind), "test"), kind);
  try {
    parse_confidence_kind("logit", "--exit");
    FAIL() << "expected an error";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "--exit");
    EXPECT_NE(error.remedy().find("largest_probability"), std::string::npos);
  }
}

TEST(ConfidenceWindow, EndsWhenTheMeanOfTheLastOnesFallsToTheThreshold) {
  ConfidenceWindow window({.window = 3, .threshold = 2.0});
  EXPECT_FALSE(window.add(0));  // not full
  EXPECT_FALSE(window.add(0));
  EXPECT_FALSE(window.add(9));  // mean 3
  EXPECT_FALSE(window.add(0));  // 3
  EXPECT_TRUE(window.add(-3));  // 2: at the threshold
}

TEST(ConfidenceWindow, ADefaultRuleNeverEndsAnything) {
  ConfidenceWindow window(ExitRule{});
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(window.add(std::numeric_limits<float>::lowest()));
}

TEST(GoesInCircles, NeedsThreeRoundsAndEnoughTokens) {
  std::vector<Token> tokens = {5, 6, 7};
  for (int round = 0; round < 2; ++round)
    for (Token token = 10; token < 20; ++token)
      tokens.push_back(token);
  EXPECT_FALSE(goes_in_circles(tokens)) << "two rounds";
  for (Token token = 10; token < 19; ++token)
    tokens.push_back(token);
  EXPECT_FALSE(goes_in_circles(tokens)) << "the third round is not whole";
  tokens.push_back(19);
  EXPECT_TRUE(goes_in_circles(tokens));
  tokens.push_back(1);
  EXPECT_FALSE(goes_in_circles(tokens)) << "it went on to something else";
}

TEST(GoesInCircles, AShortRowOfOneTokenIsNone) {
  EXPECT_FALSE(goes_in_circles(std::vector<Token>(23, 4)));
  EXPECT_TRUE(goes_in_circles(std::vector<Token>(24, 4)));
  EXPECT_FALSE(goes_in_circles({}));
}

TEST(LastSentenceEnd, CutsAfterWholeSentences) {
  const auto cut = [](std::string_view text) { return text.substr(0, last_sentence_end(text)); };
  EXPECT_EQ(cut("One. Two thi"), "One.");
  EXPECT_EQ(cut("He said \"no.\" Then"), "He said \"no.\"");
  EXPECT_EQ(cut("It costs 3.50 euros and"), "It costs 3.50 euros and") << "a point in a number";
  EXPECT_EQ(cut("First line\nsecond"), "First line\n");
  EXPECT_EQ(cut("Really? Yes"), "Really?");
  EXPECT_EQ(cut("no end at all"), "no end at all");
  EXPECT_EQ(cut("Done."), "Done.");
  EXPECT_EQ(cut(""), "");
}

}  // namespace
}  // namespace litestage::test
