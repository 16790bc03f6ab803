// A pool on a real model: several texts at once have the logits of the texts one by one.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "litestage/decoder_pool.h"
#include "litestage/sampler.h"
#include "support/libllama_oracle.h"
#include "support/prompts.h"
#include "support/small_model.h"

namespace litestage::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int POOL_TOKENS = 24;
constexpr std::size_t CLIENTS = 8;  // one for each of the first prompts
DecoderOptions options() {
  DecoderOptions options;
  options.context = 1024;
  // One kernel, so that nothing but the batches' sizes differs.
  options.flash_attention = FlashAttention::off;
  return options;
}

std::vector<Token> encode(const Decoder& decoder, const std::string& prompt) {
  return decoder.model().tokenizer().encode(prompt, true, false);
}

/// Writes greedily on sequence 0 of an empty decoder. @return the text
std::vector<Token> write(Decoder& decoder, const std::string& prompt) {
  std::vector<Token> next = encode(decoder, prompt);
  std::vector<Token> written;
  for (int i = 0; i < POOL_TOKENS; ++i) {
    next = {argmax(decoder.forward(0, next).logits)};
    written.push_back(next.front());
  }
  decoder.clear();
  return written;
}

/// The logits before each token of a text, read one token at a time on an empty decoder.
/// @return [tokens][vocabulary]
std::vector<float> logits_along(Decoder& decoder, const std::string& prompt,
                                const std::vector<Token>& text) {
  std::vector<float> logits;
  std::vector<Token> next = encode(decoder, prompt);
  for (const Token token : text) {
    const ForwardResult result = decoder.forward(0, next);
    logits.insert(logits.end(), result.logits.begin(), result.logits.end());
    next = {token};
  }
  decoder.clear();
  return logits;
}

/// The same of several texts, in batches of one token of each.
std::vector<std::vector<float>> logits_along_together(Decoder& decoder,
                                                      std::span<const std::string> prompts,
                                                      std::span<const std::vector<Token>> texts) {
  std::vector<std::vector<float>> logits(texts.size());
  std::vector<BatchToken> batch;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto sequence = static_cast<SequenceId>(i);
    const ForwardResult result = decoder.forward(sequence, encode(decoder, prompts[i]));
    logits[i].assign(result.logits.begin(), result.logits.end());
  }
  for (std::size_t step = 0; step + 1 < POOL_TOKENS; ++step) {
    batch.clear();
    for (std::size_t i = 0; i < texts.size(); ++i)
      batch.push_back({texts[i][step], static_cast<SequenceId>(i), true});
    const ForwardResult result = decoder.forward(batch);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto row = result.row(static_cast<int>(i), decoder.model().vocabulary_size());
      logits[i].insert(logits[i].end(), row.begin(), row.end());
    }
  }
  decoder.clear();
  return logits;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class RealPool : public SmallModel {};

// Activations are rounded to 8 bits before they meet the weights, so that sums in another order,
// which another batch size brings, move the logits a little. A pool may move them no more than one
// decoder's own batch of all texts does. The texts are given, not chosen: where two tokens are as
// good as equal, greedy ones would part by chance.
TEST_F(RealPool, EightClientsComputeTheTextsOfOneAfterAnother) {
  const auto model = Model::load(file_);
  const std::span<const std::string> begun = std::span(prompts()).first(CLIENTS);
  Decoder lone(model, options());
  std::vector<std::vector<Token>> texts;
  for (const std::string& prompt : begun)
    texts.push_back(write(lone, prompt));
  std::vector<std::vector<float>> expected;
  Clock::time_point start = Clock::now();
  for (std::size_t i = 0; i < CLIENTS; ++i)
    expected.push_back(logits_along(lone, begun[i], texts[i]));
  const double one_by_one = seconds_since(start);
  const std::vector<std::vector<float>> batched = logits_along_together(lone, begun, texts);

  DecoderPool pool(model, options());
  std::vector<std::vector<float>> pooled(CLIENTS);
  start = Clock::now();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < CLIENTS; ++i) {
    threads.emplace_back([&, i] {
      Decoder client = pool.client();
      pooled[i] = logits_along(client, begun[i], texts[i]);
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  const double together = seconds_since(start);

  double of_batch = 0;
  double of_pool = 0;
  for (std::size_t i = 0; i < CLIENTS; ++i) {
    of_batch = std::max(of_batch, nmse(batched[i], expected[i]));
    of_pool = std::max(of_pool, nmse(pooled[i], expected[i]));
  }
  // Batches of two to seven round in ways of their own, hence the room; another client's text
  // would be off by a thousand times as much.
  EXPECT_LE(of_pool, 3 * of_batch);
  EXPECT_LE(of_batch, 0.01);
  const DecoderPool::Statistics statistics = pool.statistics();
  std::cout << "8 clients: " << one_by_one / together << " times the tokens a second, "
            << statistics.calls << " calls in " << statistics.batches
            << " batches; largest NMSE of a text " << of_pool << ", of a lone decoder's batch "
            << of_batch << "\n";
  EXPECT_LT(statistics.batches, statistics.calls);
}

}  // namespace
}  // namespace litestage::test
