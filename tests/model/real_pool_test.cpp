// A pool on a real model: several texts at once are the texts one by one, in less time.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <thread>
#include <vector>

#include "litestage/decoder_pool.h"
#include "litestage/sampler.h"
#include "support/prompts.h"
#include "support/small_model.h"

namespace litestage::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int TOKENS = 48;
constexpr std::size_t CLIENTS = 8;  // one for each of the first prompts
/// The two best logits are as good as equal: activations are rounded to 8 bits before they meet
/// the weights, so that another order of sums now and then moves a logit by so much.
constexpr float NEAR_TIE = 0.1F;

DecoderOptions options() {
  DecoderOptions options;
  options.context = 1024;
  // One kernel, so that nothing but the batches' sizes differs.
  options.flash_attention = FlashAttention::off;
  return options;
}

/// Writes greedily on sequence 0 of an empty decoder.
std::vector<Token> write(Decoder& decoder, const std::string& prompt) {
  std::vector<Token> next = decoder.model().tokenizer().encode(prompt, true, false);
  std::vector<Token> written;
  for (int i = 0; i < TOKENS; ++i) {
    next = {argmax(decoder.forward(0, next).logits)};
    written.push_back(next.front());
  }
  decoder.clear();
  return written;
}

/// How far apart the two best logits are after a prompt and the first `length` tokens.
float gap_after(Decoder& decoder, const std::string& prompt, std::span<const Token> written) {
  std::vector<Token> tokens = decoder.model().tokenizer().encode(prompt, true, false);
  tokens.insert(tokens.end(), written.begin(), written.end());
  const ForwardResult result = decoder.forward(0, tokens);
  std::vector<float> values(result.logits.begin(), result.logits.end());
  std::partial_sort(values.begin(), values.begin() + 2, values.end(), std::greater<>());
  decoder.clear();
  return values[0] - values[1];
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class RealPool : public SmallModel {};

TEST_F(RealPool, EightClientsWriteTheTextsOfOneAfterAnother) {
  const auto model = Model::load(file_);
  Decoder lone(model, options());
  std::vector<std::vector<Token>> expected;
  Clock::time_point start = Clock::now();
  for (const std::string& prompt : std::span(prompts()).first(CLIENTS))
    expected.push_back(write(lone, prompt));
  const double one_by_one = seconds_since(start);

  DecoderPool pool(model, options());
  std::vector<std::vector<Token>> texts(CLIENTS);
  start = Clock::now();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    threads.emplace_back([&, i] {
      Decoder client = pool.client();
      texts[i] = write(client, prompts()[i]);
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  const double together = seconds_since(start);

  int other_choices = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto same = std::mismatch(texts[i].begin(), texts[i].end(), expected[i].begin()).first;
    if (same == texts[i].end()) continue;
    ++other_choices;
    EXPECT_LE(gap_after(lone, prompts()[i], std::span(texts[i].begin(), same)), NEAR_TIE)
        << prompts()[i];
  }
  const DecoderPool::Statistics statistics = pool.statistics();
  std::cout << "8 clients: " << one_by_one / together << " times the tokens a second, "
            << statistics.calls << " calls in " << statistics.batches << " batches, "
            << other_choices << " texts part at a near tie\n";
  EXPECT_LT(statistics.batches, statistics.calls);
}

}  // namespace
}  // namespace litestage::test
