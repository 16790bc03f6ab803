#pragma once

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/sublayer_mask.h"

namespace litestage {

/// What is known of one sublayer in one phase (reading or writing) of one stage. NaN stands for
/// what was not measured: `damage` when the profile was asked to leave it out, `cosine` and
/// `norm_ratio` where a stage writes nothing.
struct SublayerFigures {
  static constexpr double UNKNOWN = std::numeric_limits<double>::quiet_NaN();

  double cosine = 1;        ///< mean cosine between its input and its output, residual added
  double norm_ratio = 1;    ///< mean |output| / |input|
  double damage = 0;        ///< mean KL divergence (nats a token) with this sublayer alone left out
  double damage_error = 0;  ///< standard error of that mean, by question
  double ms = 0;            ///< measured milliseconds a token
  double ms_error = 0;      ///< standard error of that
};

struct SublayerImportance {
  SublayerFigures prefill;
  SublayerFigures decode;
  std::size_t bytes = 0;  ///< of weights
};

/// One stage of the program.
struct StageImportance {
  std::string name;
  /// Of its prompts (what branches share, once) for a question, mean: reading's cosines and norm
  /// ratios are means over them. 0: not known, in files from before they were counted.
  double prompt_tokens = 0;
  double fresh_tokens = 0;    ///< read for a question (all branches), mean
  double written_tokens = 0;  ///< written for a question (all branches), mean
  double prefill_ms = 0;      ///< a fresh token, nothing left out
  double decode_ms = 0;       ///< a written token (of one branch; branches share steps)
  std::vector<std::array<SublayerImportance, 2>> layers;  ///< [layer][Sublayer]

  const SublayerImportance& of(Sublayer sublayer, int layer) const {
    return layers[static_cast<std::size_t>(layer)][static_cast<std::size_t>(sublayer)];
  }
  SublayerImportance& of(Sublayer sublayer, int layer) {
    return layers[static_cast<std::size_t>(layer)][static_cast<std::size_t>(sublayer)];
  }
};

/// What `litestage profile` measures (paper, step 1, and beyond); docs/importance.md has the
/// schema.
struct Importance {
  static constexpr int SCHEMA_VERSION = 1;

  std::string model_name;
  std::string model_hash;
  std::string program;
  std::string program_hash;
  std::string question_set;            ///< file names without folders: "a.jsonl, b.jsonl"
  std::vector<std::string> questions;  ///< question_hash of each
  std::string machine;
  int threads = 0;
  /// How greedy stages' logits were computed while it was timed, as head_in_use() has it. Empty:
  /// not known, in files from before it was written.
  std::string head;
  std::string litestage_version;
  std::string ggml_version;
  std::vector<StageImportance> stages;

  int layer_count() const { return stages.empty() ? 0 : static_cast<int>(stages[0].layers.size()); }
};

std::string to_json(const Importance& importance);
/// @throws UserError naming file and key for anything missing, unknown, of the wrong type or out of
/// range
Importance parse_importance(std::string_view json, const std::string& where);
Importance load_importance(const std::string& path);

}  // namespace litestage
