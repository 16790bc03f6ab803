#pragma once

#include <span>
#include <string>
#include <vector>

#include "app/bench_engine.h"

namespace litestage::app {

/// One thing to time: a prompt or generated tokens, as llama-bench's pp and tg.
struct BenchTest {
  int prompt = 0;             ///< tokens of the prompt; 0: a tg test
  int generate = 0;           ///< tokens each sequence generates; 0: a pp test
  int sequences = 1;          ///< sequences generating in one batch, sharing what was there before
  int depth = 0;              ///< tokens in the cache before the clock starts
  bool own_prefixes = false;  ///< each sequence has those tokens for itself, and shares nothing

  std::string name() const;        ///< "pp512", "tg128", "tg128x4", "tg128x4 own"
  int tokens() const;              ///< that are counted
  EngineSize engine_size() const;  ///< room needed, a multiple of 256 tokens
};

/// Token numbers a workload draws from: [0, vocabulary_size).
using VocabularySize = int;

/// Runs a test once. The same test has the same tokens each time and on every engine.
/// @returns seconds, without the prefill of `depth` tokens
double run_once(BenchEngine& engine, const BenchTest& test, VocabularySize vocabulary_size);

/// Takes an engine through the test's shapes briefly, so that weights are in memory and graphs
/// built.
void warm_up(BenchEngine& engine, const BenchTest& test, VocabularySize vocabulary_size);

/// Runs a test `repetitions` times on each engine, all engines in turn, the order reversed every
/// second time, so that whatever changes with time meets all of them alike.
/// @returns seconds: [engine][repetition]
std::vector<std::vector<double>> run_interleaved(std::span<BenchEngine* const> engines,
                                                 const BenchTest& test,
                                                 VocabularySize vocabulary_size, int repetitions);

}  // namespace litestage::app
