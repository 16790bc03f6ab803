#include "model/model_config.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "litestage/model.h"
#include "litestage/sublayer_mask.h"
#include "model/families/family.h"

namespace litestage {
namespace {

constexpr int MAX_EMBEDDING = 1 << 20;
constexpr int MAX_FFN = 1 << 24;
constexpr int MAX_CONTEXT = 1 << 26;
constexpr int MAX_HEADS = 1 << 14;

const Family& find_family(const GgufFile& file) {
  const std::string architecture = file.text("general.architecture");
  std::string supported;
  for (const Family* family : families()) {
    if (family->architecture == architecture) return *family;
    supported += (supported.empty() ? "" : ", ") + std::string(family->architecture);
  }
  file.fail(fmt::format("its architecture \"{}\" is not supported", architecture),
            "supported are " + supported);
}

void refuse_what_is_not_dense(const GgufFile& file, const std::string& prefix) {
  if (file.integer_or("split.count", 1, 0, MAX_HEADS) > 1) {
    file.fail("it is one part of a split GGUF, which is not supported",
              "join the parts with llama-gguf-split --merge");
  }
  if (file.integer_or(prefix + "expert_count", 0, 0, MAX_EMBEDDING) > 0) {
    file.fail("it is a mixture of experts, which is not supported", "use a dense model");
  }
}

/// YaRN's magnitude correction. ggml multiplies by 1 + 0.1 ln(factor) itself, so a model's own
/// correction is stored relative to that.
float yarn_attn_factor(float scale) {
  const float factor = 1.0F / scale;
  const float wanted = factor <= 1.0F ? 1.0F : 0.1F * std::log(factor) + 1.0F;
  return wanted / (1.0F + 0.1F * std::log(factor));
}

RopeConfig read_rope(const GgufFile& file, const std::string& prefix) {
  RopeConfig rope;
  rope.base = file.number_or(prefix + "rope.freq_base", 10000.0F);
  if (rope.base <= 0.0F) file.fail(fmt::format("key {}rope.freq_base is not above 0", prefix));
  const std::string type = file.text_or(prefix + "rope.scaling.type", "linear");
  if (type != "none" && type != "linear" && type != "yarn" && type != "longrope") {
    file.fail(fmt::format("its RoPE scaling \"{}\" is not supported", type),
              "supported are none, linear, yarn and longrope");
  }
  const std::string factor_key = prefix + "rope.scaling.factor";
  const float factor =
      file.number_or(file.has(factor_key) ? factor_key : prefix + "rope.scale_linear", 0.0F);
  if (factor < 0.0F) file.fail(fmt::format("key {} is below 0", factor_key));
  rope.scale = factor == 0.0F || type == "none" ? 1.0F : 1.0F / factor;
  if (type == "yarn") {
    rope.ext_factor = 1.0F;
    rope.attn_factor = yarn_attn_factor(rope.scale);
  }
  rope.attn_factor *= file.number_or(prefix + "rope.scaling.attn_factor", 1.0F);
  return rope;
}

void read_heads(const GgufFile& file, const std::string& prefix, ModelConfig& config) {
  for (const char* key :
       {"attention.head_count", "attention.head_count_kv", "feed_forward_length"}) {
    if (file.is_array(prefix + key)) {
      file.fail(
          fmt::format("key {}{} differs from layer to layer, which is not supported", prefix, key));
    }
  }
  config.n_head = static_cast<int>(file.integer(prefix + "attention.head_count", 1, MAX_HEADS));
  config.n_head_kv = static_cast<int>(
      file.integer_or(prefix + "attention.head_count_kv", config.n_head, 1, config.n_head));
  if (config.n_head % config.n_head_kv != 0) {
    file.fail(fmt::format("{} query heads cannot share {} key heads evenly", config.n_head,
                          config.n_head_kv));
  }
  config.n_ff = static_cast<int>(file.integer(prefix + "feed_forward_length", 1, MAX_FFN));
  if (config.n_embd % config.n_head != 0 && !file.has(prefix + "attention.key_length")) {
    file.fail(
        fmt::format("{} dimensions cannot be split over {} heads", config.n_embd, config.n_head));
  }
  const int width = std::max(1, config.n_embd / config.n_head);
  config.head_dim =
      static_cast<int>(file.integer_or(prefix + "attention.key_length", width, 1, MAX_EMBEDDING));
  if (std::int64_t{config.head_dim} * config.n_head > MAX_EMBEDDING) {
    file.fail(fmt::format("{} heads of {} dimensions are more than is supported", config.n_head,
                          config.head_dim));
  }
  if (file.integer_or(prefix + "attention.value_length", width, 1, MAX_EMBEDDING) !=
      config.head_dim) {
    file.fail("its keys and values have different sizes, which is not supported");
  }
  config.n_rot = static_cast<int>(
      file.integer_or(prefix + "rope.dimension_count", config.head_dim, 1, config.head_dim));
  if (config.n_rot % 2 != 0) file.fail(fmt::format("key {}rope.dimension_count is odd", prefix));
}

}  // namespace

ModelConfig read_model_config(const GgufFile& file) {
  const Family& family = find_family(file);
  const std::string prefix = std::string(family.architecture) + ".";
  refuse_what_is_not_dense(file, prefix);

  ModelConfig config;
  config.family = &family;
  config.name = file.text_or("general.name", file.path().stem().string());
  config.n_layers = static_cast<int>(file.integer(prefix + "block_count", 1, MAX_LAYERS));
  config.n_ctx_train = static_cast<int>(file.integer(prefix + "context_length", 1, MAX_CONTEXT));
  config.n_embd = static_cast<int>(file.integer(prefix + "embedding_length", 1, MAX_EMBEDDING));
  config.n_vocab = static_cast<int>(file.token_count());
  config.rms_eps = file.number(prefix + "attention.layer_norm_rms_epsilon");
  if (config.rms_eps < 0.0F)
    file.fail(fmt::format("key {}attention.layer_norm_rms_epsilon is below 0", prefix));
  read_heads(file, prefix, config);

  config.n_ctx_orig = static_cast<int>(file.integer_or(
      prefix + "rope.scaling.original_context_length", config.n_ctx_train, 1, MAX_CONTEXT));
  config.rope = read_rope(file, prefix);
  config.rope_window = config.rope;
  config.has_rope.assign(static_cast<std::size_t>(config.n_layers), true);
  config.is_windowed.assign(static_cast<std::size_t>(config.n_layers), false);
  config.attention_scale = 1.0F / std::sqrt(static_cast<float>(config.head_dim));
  if (family.configure != nullptr) family.configure(file, config);
  return config;
}

std::vector<std::string> supported_architectures() {
  std::vector<std::string> names;
  for (const Family* family : families())
    names.emplace_back(family->architecture);
  return names;
}

}  // namespace litestage
