// Log-likelihoods as scoring harnesses ask for them, beside a direct computation.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "support/served_tiny.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

/// ln p of each token but the first, by plain double arithmetic on a decoder of its own.
std::vector<double> direct_logprobs(const ServedTiny& served, const std::vector<Token>& tokens) {
  Decoder decoder(served.shared_model(), served.decoder_options());
  const std::vector<float> logits = all_logits(decoder, tokens);
  const auto n_vocab = static_cast<std::size_t>(served.model().vocabulary_size());
  std::vector<double> logprobs;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i * n_vocab);
    double sum = 0;
    for (std::size_t token = 0; token < n_vocab; ++token)
      sum += std::exp(static_cast<double>(*(row + static_cast<std::ptrdiff_t>(token))));
    logprobs.push_back(*(row + tokens[i + 1]) - std::log(sum));
  }
  return logprobs;
}

class Logprobs : public testing::Test {
 protected:
  static const ServedTiny& served() {
    static const ServedTiny SERVED;
    return SERVED;
  }

  static Json score(const Json& prompt, int max_tokens = 1) {
    return served()
        .post("/v1/completions", {{"prompt", prompt},
                                  {"echo", true},
                                  {"logprobs", 1},
                                  {"max_tokens", max_tokens},
                                  {"temperature", 0}})
        .json()
        .at("choices");
  }
};

TEST_F(Logprobs, OfPromptsAreTheDirectComputations) {
  const std::vector<Token> first = random_tokens(150, served().model().vocabulary_size(), 1);
  const std::vector<Token> second = random_tokens(9, served().model().vocabulary_size(), 2);
  const Json choices = score({first, second});
  ASSERT_EQ(choices.size(), 2U);
  for (std::size_t prompt = 0; prompt < 2; ++prompt) {
    const std::vector<Token>& tokens = prompt == 0 ? first : second;
    const std::vector<double> expected = direct_logprobs(served(), tokens);
    const Json& logprobs = choices[prompt].at("logprobs");
    const Json& scored = logprobs.at("token_logprobs");
    ASSERT_EQ(scored.size(), tokens.size() + 1);  // the prompt's, and one token written
    EXPECT_TRUE(scored[0].is_null());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(scored[i + 1].get<double>(), expected[i], 1e-4) << prompt << " " << i;
    EXPECT_EQ(logprobs.at("tokens").size(), scored.size());
    EXPECT_EQ(logprobs.at("top_logprobs").size(), scored.size());
    EXPECT_EQ(logprobs.at("text_offset").size(), scored.size());
  }
}

TEST_F(Logprobs, AGreedyTokenIsTheTopOne) {
  // What a harness asks: is the continuation what greedy decoding would have written?
  const Json first = score({3, 4, 5}, 6)[0].at("logprobs");
  const Json& scored = first.at("token_logprobs");
  for (std::size_t i = 3; i < scored.size(); ++i) {
    const Json& top = first.at("top_logprobs")[i];
    ASSERT_EQ(top.size(), 1U);
    EXPECT_EQ(top.begin().value(), scored[i]) << i;
  }
}

TEST_F(Logprobs, NothingIsWrittenWhenNothingIsAskedFor) {
  const Json choice = score({3, 4, 5}, 0)[0];
  EXPECT_EQ(choice.at("logprobs").at("token_logprobs").size(), 3U);
}

TEST_F(Logprobs, OffsetsPointIntoTheText) {
  const Json choice = score("the other thing", 1)[0];
  const std::string text = choice.at("text");
  const Json& logprobs = choice.at("logprobs");
  ASSERT_GT(logprobs.at("tokens").size(), 3U);
  std::size_t expected = 0;
  for (std::size_t i = 0; i < logprobs.at("tokens").size(); ++i) {
    EXPECT_EQ(logprobs.at("text_offset")[i].get<std::size_t>(), expected);
    expected += logprobs.at("tokens")[i].get<std::string>().size();  // ASCII
  }
}

TEST_F(Logprobs, ChatsHaveThemToo) {
  Json body = chat_body("tiny");
  body["logprobs"] = true;
  body["top_logprobs"] = 3;
  const Json answer = served().post("/v1/chat/completions", body).json();
  const Json& content = answer.at("choices")[0].at("logprobs").at("content");
  EXPECT_EQ(content.size(), answer.at("usage").at("completion_tokens").get<std::size_t>());
  for (const Json& token : content) {
    ASSERT_EQ(token.at("top_logprobs").size(), 3U);
    EXPECT_EQ(token.at("top_logprobs")[0].at("logprob"), token.at("logprob"));  // greedy
    EXPECT_GE(token.at("top_logprobs")[0].at("logprob").get<double>(),
              token.at("top_logprobs")[1].at("logprob").get<double>());
  }
}

}  // namespace
}  // namespace litestage::test
