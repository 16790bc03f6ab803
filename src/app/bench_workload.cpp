#include "app/bench_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>

namespace litestage::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int WARM_UP_STEPS = 8;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Which tokens they are does not change the work; that all engines get the same ones is what
// counts.
class TokenSource {
 public:
  explicit TokenSource(VocabularySize vocabulary_size)
      : vocabulary_size_(static_cast<std::uint32_t>(vocabulary_size)) {}

  std::span<const Token> next(int count) {
    tokens_.resize(static_cast<std::size_t>(count));
    for (Token& token : tokens_)
      token = static_cast<Token>(random_() % vocabulary_size_);
    return tokens_;
  }

 private:
  std::mt19937 random_{1};
  std::uint32_t vocabulary_size_;
  std::vector<Token> tokens_;
};

}  // namespace

std::string BenchTest::name() const {
  if (prompt > 0) return fmt::format("pp{}", prompt);
  if (sequences == 1) return fmt::format("tg{}", generate);
  return fmt::format("tg{}x{}{}", generate, sequences, own_prefixes ? " own" : "");
}

int BenchTest::tokens() const {
  return prompt + generate * sequences;
}

EngineSize BenchTest::engine_size() const {
  const auto padded = [](int tokens) { return (tokens + 255) / 256 * 256; };
  if (own_prefixes) return {padded(depth + generate) * sequences, sequences, false};
  return {padded(depth + tokens()), sequences, true};
}

double run_once(BenchEngine& engine, const BenchTest& test, VocabularySize vocabulary_size) {
  TokenSource tokens(vocabulary_size);
  engine.clear();
  if (test.depth > 0) engine.prefill(0, tokens.next(test.depth));
  if (test.own_prefixes) {
    for (int sequence = 1; sequence < test.sequences; ++sequence)
      engine.prefill(sequence, tokens.next(test.depth));
  } else if (test.sequences > 1) {
    engine.fork(test.sequences);
  }
  const auto begin = Clock::now();
  if (test.prompt > 0) engine.prefill(0, tokens.next(test.prompt));
  for (int step = 0; step < test.generate; ++step)
    engine.step(tokens.next(test.sequences));
  return seconds_since(begin);
}

void warm_up(BenchEngine& engine, const BenchTest& test, VocabularySize vocabulary_size) {
  BenchTest brief = test;
  brief.generate = std::min(test.generate, WARM_UP_STEPS);
  run_once(engine, brief, vocabulary_size);
}

std::vector<std::vector<double>> run_interleaved(std::span<BenchEngine* const> engines,
                                                 const BenchTest& test,
                                                 VocabularySize vocabulary_size, int repetitions) {
  std::vector<std::vector<double>> seconds(engines.size());
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    for (std::size_t turn = 0; turn < engines.size(); ++turn) {
      const std::size_t index = repetition % 2 == 0 ? turn : engines.size() - 1 - turn;
      seconds[index].push_back(run_once(*engines[index], test, vocabulary_size));
    }
  }
  return seconds;
}

}  // namespace litestage::app
