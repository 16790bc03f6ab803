#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "litestage/sublayer_mask.h"

namespace litestage {

struct ModelConfig;   // src/model/model_config.h: hyperparameters, for the graph
struct ModelWeights;  // src/model/model_weights.h: ggml tensors, for the graph
class Tokenizer;

struct ModelOptions {
  int gpu_layers = 0;  ///< last layers placed on the device (`-ngl`); 0: all on the CPU
  std::string device;  ///< ggml device name as `litestage doctor` lists it; empty: the first GPU
  bool repack = true;  ///< let ggml lay weights out anew for this CPU where it offers that
  bool check_tensors = false;  ///< look through all weights for NaN and infinity while loading
  /// Called with 0..1 while weights are read; returning false stops loading (throws UserError).
  std::function<bool(float)> progress;
};

/// Weights, hyperparameters and vocabulary of one GGUF file. Immutable after loading; share it
/// freely.
class Model {
 public:
  /// @throws UserError for anything that is wrong with the file: missing, truncated, not GGUF, an
  /// architecture or tensor that is not supported, sizes that do not fit together
  static std::shared_ptr<const Model> load(const std::filesystem::path& path,
                                           const ModelOptions& options = {});
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const std::filesystem::path& path() const;
  const std::string& architecture() const;  ///< e.g. "qwen2"
  const std::string& name() const;          ///< general.name, or the file's stem
  int layer_count() const;
  int embedding_size() const;
  int vocabulary_size() const;
  int trained_context() const;       ///< tokens
  std::size_t weight_bytes() const;  ///< all tensors, as stored in the file
  /// Bytes of weights one decoded token reads under a mask (one embedding row, the head whole).
  std::size_t bytes_per_token(const SublayerMask& mask = {}) const;
  std::size_t head_bytes() const;  ///< of the head alone
  /// Bytes of weights one sublayer reads.
  std::size_t sublayer_bytes(Sublayer sublayer, int layer) const;

  const Tokenizer& tokenizer() const;
  const ModelConfig& config() const;
  const ModelWeights& weights() const;

 private:
  Model();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The architectures that `Model::load` takes, in the order of their names.
std::vector<std::string> supported_architectures();

}  // namespace litestage
