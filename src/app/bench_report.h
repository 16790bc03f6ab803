#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/bench_exit.h"
#include "app/bench_load.h"
#include "app/bench_workload.h"
#include "base/statistics.h"

namespace litestage::app {

/// What libllama did in the same test, in turn with litestage.
struct LibllamaResult {
  std::vector<double> tokens_per_second;
  bool flash_attention = true;
  Ratio ratio;  ///< litestage / libllama
};

/// What a mask gained over the whole model, both measured in turn.
struct MaskGain {
  Ratio measured;       ///< tokens a second, masked / whole
  double promised = 1;  ///< bytes of weights, whole / masked
};

struct BenchRow {
  BenchTest test;
  std::string mask = "none";
  std::vector<double> tokens_per_second;  ///< one a repetition
  std::size_t bytes_per_token = 0;        ///< weights one decoding step reads under the mask
  std::optional<MaskGain> gain;
  std::optional<LibllamaResult> libllama;

  /// Bytes of weights read a second; nothing for prompts, which read each weight for many tokens.
  std::optional<double> bytes_per_second() const;
};

/// Loading, one sample a repetition; the ratios are litestage / libllama: below 1 is better.
struct LoadReport {
  LoadSamples litestage;
  std::optional<LoadSamples> libllama;
};

struct BenchReport {
  std::string model;  ///< architecture, size and quantisation
  std::string path;
  std::size_t model_bytes = 0;
  std::int64_t parameters = 0;
  std::string backend;
  int threads = 0;
  double memory_bandwidth = 0;  ///< bytes a second that this machine streams
  LoadReport load;
  std::vector<BenchRow> rows;
  std::vector<ExitCheck> exit_checks;
};

enum class BenchFormat : std::uint8_t { md, csv, json, jsonl };

/// The whole report as text in one of the formats; docs/cli.md describes columns and keys.
std::string format_report(const BenchReport& report, BenchFormat format);

}  // namespace litestage::app
