#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "litestage/sublayer_mask.h"
#include "model/gguf_file.h"
#include "model/model_weights.h"

namespace litestage {

/// How the graph reads a tensor, which decides where it may live.
enum class TensorRole : std::uint8_t {
  vector,     ///< norms, biases, RoPE factors: added or multiplied, always f32
  matrix,     ///< multiplied from the left; may be repacked
  embedding,  ///< rows are looked up
};

/// One tensor of the file that the model uses, checked.
struct ListedTensor {
  std::string name;
  std::int64_t id = 0;  ///< in the GGUF header
  ggml_type type = GGML_TYPE_F32;
  std::array<std::int64_t, 2> shape{};
  std::size_t offset = 0;  ///< in the file, bytes
  std::size_t bytes = 0;
  TensorRole role = TensorRole::vector;
  int layer = -1;                ///< -1: outside the layers
  std::size_t* read = nullptr;   ///< counts what a decoded token reads here; null: not whole
  ggml_tensor** slot = nullptr;  ///< where the loaded tensor goes
};

/// Walks through everything a family's model consists of, checks each tensor's shape and type
/// against the hyperparameters, and refuses what is left over. The one place that knows tensor
/// names.
class TensorList {
 public:
  /// Fills `weights.layers` (slots, bytes) as far as it can be known without loading.
  /// @throws UserError naming the tensor, with what was expected and what was found
  TensorList(const GgufFile& file, const ModelConfig& config, ModelWeights& weights);

  const std::vector<ListedTensor>& tensors() const { return tensors_; }
  bool head_is_tied() const { return tied_; }

 private:
  /// Where a tensor belongs: a layer, and the count of its sublayer's bytes.
  struct Part {
    int layer = -1;
    std::size_t* read = nullptr;
  };

  void require(const std::string& name, std::array<std::int64_t, 2> shape, TensorRole role,
               Part part, ggml_tensor*& slot);
  /// @returns whether the file has it
  bool accept(const std::string& name, std::array<std::int64_t, 2> shape, TensorRole role,
              Part part, ggml_tensor*& slot);
  void list_globals(ModelWeights& weights);
  void list_attention(int layer, LayerWeights& weights);
  void list_ffn(int layer, LayerWeights& weights);
  void refuse_rest() const;

  const GgufFile& file_;
  const ModelConfig& config_;
  std::vector<ListedTensor> tensors_;
  bool tied_ = false;
};

}  // namespace litestage
