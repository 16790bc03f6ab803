#pragma once

#include <ggml.h>
#include <gguf.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace litestage::test {

enum class RopeScaling : std::uint8_t { none, linear, yarn, llama3, longrope };
enum class TinyTokenizer : std::uint8_t { spm, bpe };

/// What a tiny random model looks like. The defaults suit every family; a family ignores nothing:
/// an option that its architecture has no tensor or key for throws std::invalid_argument.
struct TinyOptions {
  std::string family = "llama";
  int layers = 3;
  int embd = 64;
  int heads = 4;
  int kv_heads = 2;
  int head_size = 0;  ///< 0: embd / heads
  int ffn = 96;
  int vocab = 320;  ///< at least 300
  int context = 1024;
  int rope_dims = 0;  ///< 0: head size
  float rope_base = 10000.0F;
  ggml_type weight_type = GGML_TYPE_F32;
  ggml_type head_type = GGML_TYPE_COUNT;  ///< of embedding and head; COUNT: weight_type
  std::uint32_t seed = 1;
  TinyTokenizer tokenizer = TinyTokenizer::spm;

  bool tied = false;
  bool fused_qkv = false;
  bool qkv_bias = false;
  bool attention_output_bias = false;
  bool ffn_bias = false;
  bool head_bias = false;

  RopeScaling rope_scaling = RopeScaling::none;
  float rope_factor = 4.0F;
  int original_context = 0;       ///< of yarn and longrope; 0: context
  float rope_attn_factor = 0.0F;  ///< 0: no key
  int window = 0;                 ///< sliding window; 0: no key
  int window_pattern = 0;         ///< every n-th layer sees everything; 0: no key
  std::vector<std::int8_t> window_layers =
      {};  ///< the pattern as an array instead, one flag a layer
  float window_rope_base = 0.0F;

  float final_softcap = 0.0F;
  float embedding_scale = 0.0F;
  float residual_scale = 0.0F;
  float attention_scale = 0.0F;
  float logit_scale = 0.0F;
  bool rope_off = false;  ///< granite's "finetuned = false"
};

/// What a family's files always hold and what they may hold.
struct FamilyTraits {
  std::string_view name;
  bool may_tie = true;
  bool post_norms = false;     ///< a norm after each sublayer, before the residual sum
  bool pre_norms = true;       ///< a norm before each sublayer
  bool qk_norm = false;        ///< of each head
  bool qk_norm_whole = false;  ///< of all heads together
  bool fused_gate_up = false;
  bool free_head_size = false;  ///< heads * head_size may differ from embd
  bool may_scale = false;       ///< granite's four scales and rope_off
  bool may_ffn_bias = false;
  bool may_output_bias = false;
  bool may_head_bias = false;
  bool may_rope_factors = false;  ///< rope_freqs and rope_factors_long/short
  bool may_window = false;
  bool may_softcap = false;
};

/// @throws std::invalid_argument for a family that is none of ours
const FamilyTraits& family_traits(std::string_view family);
/// All families, by name.
std::vector<std::string> family_names();

struct GgufDeleter {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
using GgufPtr = std::unique_ptr<gguf_context, GgufDeleter>;

/// A complete random GGUF in memory, to be edited and written. The same options give the same
/// bytes.
class TinyModel {
 public:
  struct Tensor {
    std::string name;
    std::vector<std::int64_t> shape;  ///< innermost first
    ggml_type type = GGML_TYPE_F32;
    std::vector<std::uint8_t> data;
  };

  explicit TinyModel(const TinyOptions& options);

  const TinyOptions& options() const { return options_; }
  /// For editing keys with gguf_set_val_*, gguf_remove_key and their like.
  gguf_context* keys() { return keys_.get(); }
  /// `suffix` behind the architecture, as in `key("block_count")`: `llama.block_count`.
  std::string key(std::string_view suffix) const;

  const std::vector<Tensor>& tensors() const { return tensors_; }
  Tensor& tensor(std::string_view name);
  bool has_tensor(std::string_view name) const;
  void drop(std::string_view name);
  void put(Tensor tensor) { tensors_.push_back(std::move(tensor)); }
  void rename(std::string_view name, std::string new_name);
  /// Gives a tensor another shape and zeros of that many values.
  void reshape(std::string_view name, std::vector<std::int64_t> shape);
  void zero(std::string_view name);
  void add_zeros(std::string name, std::vector<std::int64_t> shape);
  /// The values of an F32 tensor, read or multiplied. @throws std::invalid_argument for another
  /// type
  std::vector<float> floats(std::string_view name);
  void multiply(std::string_view name, float factor);

  /// Makes a sublayer add nothing: its output projection, its bias and its post-norm become zero.
  void silence_attention(int layer);
  void silence_ffn(int layer);

  std::vector<std::uint8_t> bytes() const;
  void write(const std::filesystem::path& path) const;

 private:
  void add(std::string name, std::vector<std::int64_t> shape, ggml_type type, float mean,
           float deviation);
  void add_matrix(std::string name, std::int64_t in, std::int64_t out, float gain);
  void add_vector(std::string name, std::int64_t size, float mean, float deviation);
  void add_keys();
  void add_rope_keys();
  void add_scale_keys();
  void add_attention(int layer);
  void add_ffn(int layer);
  void add_rope_factors();

  TinyOptions options_;
  FamilyTraits traits_;
  GgufPtr keys_;
  std::vector<Tensor> tensors_;
};

void write_bytes(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);

}  // namespace litestage::test
