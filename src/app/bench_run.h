#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/bench_report.h"
#include "app/model_options.h"

namespace litestage::app {

/// Flash attention of libllama in a comparison: as told, or whichever is faster for the test at
/// hand.
enum class LibllamaFlash : std::uint8_t { faster, on, off };

/// Values of `litestage bench`'s flags.
struct BenchSettings {
  ModelArguments model;
  DecoderOptions decoder;  ///< the context is computed
  std::vector<int> prompts = {512};
  std::vector<int> generates = {128};
  std::vector<int> batch_sequences;  ///< further tg tests
  bool own_prefixes = false;         ///< of those: sequences share nothing
  int depth = 0;
  std::vector<std::string> masks;
  bool exit_check = false;  ///< what watching each confidence adds to a step
  int repetitions = 5;
  bool compare_libllama = false;
  LibllamaFlash libllama_flash = LibllamaFlash::faster;
  BenchFormat format = BenchFormat::md;
};

/// Measures everything the settings ask for.
/// @throws UserError for models, masks and devices that do not work
BenchReport run_bench(BenchSettings settings);

}  // namespace litestage::app
