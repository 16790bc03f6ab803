#pragma once

#include <ggml.h>
#include <llama.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace litestage::test {

struct OracleOptions {
  int context = 512;
  int ubatch = 512;
  int sequences = 8;
  int threads = 1;  ///< more would wait for each other on a busy machine
  bool flash_attention = true;
  bool repack = true;  ///< weights laid out for this CPU
  ggml_type kv_type = GGML_TYPE_F16;
};

/// Sum of squared differences over the sum of squares of `expected`; NaN when anything is NaN,
/// infinity when the sizes differ.
double nmse(std::span<const float> actual, std::span<const float> expected);

/// libllama itself, asked for logits through its public interface.
class LibllamaOracle {
 public:
  struct Item {
    std::int32_t token = 0;
    int sequence = 0;
    bool want_logits = true;
  };

  /// @throws std::runtime_error when libllama refuses the file
  LibllamaOracle(const std::filesystem::path& path, const OracleOptions& options = {});

  int vocabulary_size() const { return vocabulary_size_; }
  const llama_vocab* vocab() const { return llama_model_get_vocab(model_.get()); }

  /// Appends a batch; positions are the next free ones of each sequence.
  /// @return [items that want logits][vocabulary_size]
  std::vector<float> decode(std::span<const Item> items);
  /// Appends tokens to one sequence in one batch: logits of all of them, or of the last alone.
  std::vector<float> decode(std::span<const std::int32_t> tokens, int sequence = 0,
                            bool all_logits = true);
  /// Appends tokens to one sequence in one batch each. @return [tokens][vocabulary_size]
  std::vector<float> decode_stepwise(std::span<const std::int32_t> tokens, int sequence = 0);
  /// Forgets everything.
  void clear();
  /// Appends as `decode` does. @return nmse of `logits` against libllama's
  double distance(std::span<const float> logits, std::span<const std::int32_t> tokens) {
    return nmse(logits, decode(tokens));
  }
  double distance(std::span<const float> logits, std::span<const Item> items) {
    return nmse(logits, decode(items));
  }
  double stepwise_distance(std::span<const float> logits, std::span<const std::int32_t> tokens) {
    return nmse(logits, decode_stepwise(tokens));
  }
  /// Makes `to` share all tokens of `from`.
  void fork(int from, int to);

 private:
  struct ModelDeleter {
    void operator()(llama_model* model) const { llama_model_free(model); }
  };
  struct ContextDeleter {
    void operator()(llama_context* context) const { llama_free(context); }
  };
  std::unique_ptr<llama_model, ModelDeleter> model_;
  std::unique_ptr<llama_context, ContextDeleter> context_;
  int vocabulary_size_ = 0;
  std::vector<int> lengths_;
};

/// libllama twice, with and without flash attention. Its kernel for flash attention rounds more,
/// and which of the two the decoder uses for a batch is the decoder's own choice, made for speed:
/// so logits must be those of the one or of the other.
class EitherOracle {
 public:
  explicit EitherOracle(const std::filesystem::path& path, const OracleOptions& options = {});

  /// Appends tokens to one sequence, in one batch.
  /// @return distance of `logits`, [tokens][vocabulary_size], to the nearer of both
  double distance(std::span<const float> logits, std::span<const std::int32_t> tokens);
  /// The same for tokens appended one by one.
  double stepwise_distance(std::span<const float> logits, std::span<const std::int32_t> tokens);
  /// The same for any batch.
  double distance(std::span<const float> logits, std::span<const LibllamaOracle::Item> items);
  void clear();

 private:
  LibllamaOracle flash_;
  LibllamaOracle plain_;
};

}  // namespace litestage::test
