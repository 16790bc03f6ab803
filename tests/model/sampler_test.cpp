#include "litestage/sampler.h"

#include <gtest/gtest.h>
#include <llama.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "litestage/error.h"
#include "support/temporary.h"
#include "support/tiny_model.h"

namespace litestage::test {
namespace {

class SamplerTest : public testing::Test {
 protected:
  SamplerTest() : tokenizer_(write()) {}

  std::vector<float> random_logits(std::uint32_t seed) const {
    std::mt19937 engine(seed);
    std::vector<float> logits(static_cast<std::size_t>(tokenizer_.size()));
    for (float& value : logits)
      value = static_cast<float>(engine() % 1000U) / 100.0F;
    return logits;
  }

  std::vector<Token> sample_many(const SamplerOptions& options, int count) const {
    Sampler sampler(tokenizer_, options);
    std::vector<Token> tokens;
    for (int i = 0; i < count; ++i) {
      tokens.push_back(sampler.sample(random_logits(static_cast<std::uint32_t>(i))));
    }
    return tokens;
  }

  /// Samples until the end of generation. Random logits: only the grammar decides the form.
  std::string constrained_text(const std::string& grammar, const SamplerOptions& options,
                               std::uint32_t seed) const {
    Sampler sampler(tokenizer_, options, grammar);
    std::string text;
    for (std::uint32_t i = 0; i < 50; ++i) {
      const Token token = sampler.sample(random_logits(1000 * seed + i));
      if (tokenizer_.is_end_of_generation(token)) return text;
      text += tokenizer_.piece(token);
    }
    return text + " (no end)";
  }

  TemporaryFolder folder_;
  Tokenizer tokenizer_;

 private:
  std::filesystem::path write() const {
    TinyModel({.layers = 1, .tokenizer = TinyTokenizer::bpe}).write(folder_ / "tiny.gguf");
    return folder_ / "tiny.gguf";
  }
};

TEST_F(SamplerTest, GreedyIsArgmax) {
  Sampler sampler(tokenizer_, {});
  EXPECT_TRUE(rc::check([&] {
    const auto logits = random_logits(*rc::gen::arbitrary<std::uint32_t>());
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    RC_ASSERT(sampler.sample(logits) == best);
    RC_ASSERT(argmax(logits) == best);
  }));
}

TEST(Argmax, FirstOfEquals) {
  EXPECT_EQ(argmax(std::vector<float>{1.0F, 3.0F, 3.0F}), 1);
  EXPECT_EQ(argmax(std::vector<float>{-2.0F}), 0);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(argmax(std::vector<float>{-infinity, -infinity, -5.0F}), 2);
}

TEST_F(SamplerTest, ASeedGivesTheSameTokens) {
  const SamplerOptions options{.temperature = 1.5F, .seed = 42};
  const auto tokens = sample_many(options, 60);
  EXPECT_EQ(sample_many(options, 60), tokens);
  SamplerOptions other = options;
  other.seed = 43;
  EXPECT_NE(sample_many(other, 60), tokens);
  EXPECT_GT(std::set<Token>(tokens.begin(), tokens.end()).size(), 10U);
}

TEST_F(SamplerTest, TheLargestSeedIsASeedToo) {
  const SamplerOptions options{.temperature = 1.5F, .seed = 0xFFFFFFFF};  // libllama would draw one
  EXPECT_EQ(sample_many(options, 60), sample_many(options, 60));
}

TEST_F(SamplerTest, TopKLeavesTheBestOnly) {
  const auto logits = random_logits(5);
  std::vector<Token> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    order[i] = static_cast<Token>(i);
  std::stable_sort(order.begin(), order.end(), [&](Token a, Token b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  Sampler sampler(tokenizer_, {.temperature = 5.0F, .top_k = 3, .top_p = 1.0F, .seed = 1});
  const float third = logits[static_cast<std::size_t>(order[2])];
  std::set<Token> seen;
  for (int i = 0; i < 300; ++i) {
    const Token token = sampler.sample(logits);
    EXPECT_GE(logits[static_cast<std::size_t>(token)], third);
    seen.insert(token);
  }
  EXPECT_GE(seen.size(), 2U);
  EXPECT_LE(seen.size(), 3U);
}

// Of the logits that top-k leaves out most are not even shown to libllama's chain.
TEST_F(SamplerTest, TopKChoosesAsAChainThatSeesAllLogits) {
  const SamplerOptions options{.temperature = 1.5F, .top_k = 10, .seed = 9};
  Sampler sampler(tokenizer_, options);
  const std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)> chain(
      llama_sampler_chain_init(llama_sampler_chain_default_params()), &llama_sampler_free);
  llama_sampler_chain_add(chain.get(), llama_sampler_init_top_k(options.top_k));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_top_p(options.top_p, 1));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_temp(options.temperature));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_dist(options.seed));
  std::mt19937 random(4);
  std::normal_distribution<float> noise(0.0F, 3.0F);
  std::set<Token> seen;
  for (int i = 0; i < 100; ++i) {
    std::vector<float> logits(static_cast<std::size_t>(tokenizer_.size()));
    std::generate(logits.begin(), logits.end(), [&] { return noise(random); });
    std::vector<llama_token_data> all;
    for (std::size_t token = 0; token < logits.size(); ++token)
      all.push_back({static_cast<llama_token>(token), logits[token], 0.0F});
    llama_token_data_array candidates = {all.data(), all.size(), -1, false};
    llama_sampler_apply(chain.get(), &candidates);
    const Token expected = candidates.data[candidates.selected].id;
    llama_sampler_accept(chain.get(), expected);
    EXPECT_EQ(sampler.sample(logits), expected) << i;
    seen.insert(expected);
  }
  EXPECT_GT(seen.size(), 50U);
}

TEST_F(SamplerTest, MinPLeavesOutTheUnlikely) {
  std::vector<float> logits(static_cast<std::size_t>(tokenizer_.size()), 0.0F);
  logits[7] = 4.0F;
  logits[8] = 3.9F;
  Sampler sampler(tokenizer_,
                  {.temperature = 1.0F, .top_k = 0, .top_p = 1.0F, .min_p = 0.5F, .seed = 2});
  std::set<Token> seen;
  for (int i = 0; i < 200; ++i)
    seen.insert(sampler.sample(logits));
  EXPECT_EQ(seen, (std::set<Token>{7, 8}));
}

TEST_F(SamplerTest, RepeatPenaltyTurnsAway) {
  std::vector<float> logits(static_cast<std::size_t>(tokenizer_.size()), 0.0F);
  logits[7] = 4.0F;
  logits[8] = 3.0F;
  Sampler sampler(tokenizer_, {.temperature = 0.0F, .repeat_penalty = 2.0F});
  EXPECT_EQ(sampler.sample(logits), 7);
  EXPECT_EQ(sampler.sample(logits), 8);
}

TEST_F(SamplerTest, GrammarRestricts) {
  const std::string grammar = R"(root ::= "yes" | "no")";
  std::set<std::string> texts;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    texts.insert(constrained_text(grammar, {.temperature = 1.0F, .seed = seed}, seed));
    texts.insert(constrained_text(grammar, {}, seed));
  }
  EXPECT_EQ(texts, (std::set<std::string>{"yes", "no"}));
}

TEST_F(SamplerTest, GreedyUnderAGrammarTakesTheBestThatFits) {
  std::vector<float> logits(static_cast<std::size_t>(tokenizer_.size()), 0.0F);
  const Token a = tokenizer_.encode("A", false, false).at(0);
  const Token b = tokenizer_.encode("B", false, false).at(0);
  const Token c = tokenizer_.encode("C", false, false).at(0);
  logits[static_cast<std::size_t>(c)] = 9.0F;  // best, and not allowed
  logits[static_cast<std::size_t>(b)] = 5.0F;
  logits[static_cast<std::size_t>(a)] = 1.0F;
  Sampler sampler(tokenizer_, {}, "root ::= [AB]");
  EXPECT_EQ(sampler.sample(logits), b);
}

TEST_F(SamplerTest, BadGrammarsAreRefused) {
  for (const char* grammar :
       {"root ::= (", "root", "start ::= \"a\"", "root ::= missing", "root ::= \"a"}) {
    EXPECT_THROW(Sampler(tokenizer_, {}, grammar), UserError) << grammar;
  }
}

TEST_F(SamplerTest, TopKOfLogitsThatAreNoNumbersStillChoosesAToken) {
  Sampler sampler(tokenizer_, {.temperature = 1.0F, .top_k = 10, .seed = 1});
  const std::vector<float> logits(static_cast<std::size_t>(tokenizer_.size()),
                                  std::numeric_limits<float>::quiet_NaN());
  const Token token = sampler.sample(logits);
  EXPECT_GE(token, 0);
  EXPECT_LT(token, tokenizer_.size());
}

}  // namespace
}  // namespace litestage::test
