#pragma once

#include <vector>

#include "app/bench_engine.h"
#include "app/bench_workload.h"

namespace litestage::app {

/// What loading a model cost a process that did nothing else.
struct LoadSamples {
  std::vector<double> milliseconds;  ///< from the file's name to the logits of a first token
  std::vector<double> peak_bytes;  ///< largest resident memory until after a prompt and some tokens
};

/// Loads and uses a model in processes of their own, one after the other: only so is the peak
/// memory that one engine needs known. The file is read once before, so that both find it in the
/// page cache.
///
/// The calling process must be small and have one thread still: its memory counts in every child's.
/// @param load, one an engine; called in the child
/// @returns one for each of `load`, `repetitions` samples each, taken in turn
/// @throws UserError with the child's message when loading failed
std::vector<LoadSamples> measure_loads(const std::vector<EngineFactory>& load,
                                       const BenchTest& test, int repetitions);

}  // namespace litestage::app
