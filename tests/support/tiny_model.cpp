#include "support/tiny_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <numeric>
#include <random>
#include <stdexcept>

#include "support/tiny_tokenizer.h"

namespace litestage::test {
namespace {

const std::array<FamilyTraits, 8>& all_traits() {
  static const std::array<FamilyTraits, 8> TRAITS = {{
      {.name = "gemma3",
       .post_norms = true,
       .qk_norm = true,
       .free_head_size = true,
       .may_window = true,
       .may_softcap = true},
      {.name = "granite",
       .free_head_size = true,
       .may_scale = true,
       .may_ffn_bias = true,
       .may_output_bias = true,
       .may_rope_factors = true},
      {.name = "llama",
       .free_head_size = true,
       .may_ffn_bias = true,
       .may_output_bias = true,
       .may_rope_factors = true},
      {.name = "olmo2",
       .may_tie = false,
       .post_norms = true,
       .pre_norms = false,
       .qk_norm_whole = true,
       .may_window = true},
      {.name = "phi3", .fused_gate_up = true, .may_rope_factors = true, .may_window = true},
      {.name = "qwen2", .may_head_bias = true},
      {.name = "qwen3", .qk_norm = true, .free_head_size = true},
      {.name = "smollm3", .free_head_size = true},
  }};
  return TRAITS;
}

void require(bool fits, std::string_view option, std::string_view family) {
  if (!fits) {
    throw std::invalid_argument(std::string(option) + " does not exist in " + std::string(family));
  }
}

void check(const TinyOptions& options, const FamilyTraits& traits) {
  const auto need = [&](bool asked, bool may, std::string_view option) {
    require(!asked || may, option, options.family);
  };
  need(options.tied, traits.may_tie, "tied");
  need(options.ffn_bias, traits.may_ffn_bias, "ffn_bias");
  need(options.attention_output_bias, traits.may_output_bias, "attention_output_bias");
  need(options.head_bias, traits.may_head_bias, "head_bias");
  need(options.window != 0, traits.may_window, "window");
  need(options.final_softcap != 0.0F, traits.may_softcap, "final_softcap");
  need(options.embedding_scale != 0.0F || options.residual_scale != 0.0F ||
           options.attention_scale != 0.0F || options.rope_off,
       traits.may_scale, "granite's scales");
  need(options.rope_scaling == RopeScaling::llama3 || options.rope_scaling == RopeScaling::longrope,
       traits.may_rope_factors, "rope factors");
  need(options.head_size * options.heads != 0 && options.head_size * options.heads != options.embd,
       traits.free_head_size, "head_size");
}

// The same on every machine, unlike std::normal_distribution: a sum of uniform values is close
// enough.
class Noise {
 public:
  explicit Noise(std::uint32_t seed) : engine_(seed) {}
  float operator()() {
    float sum = -6.0F;
    for (int i = 0; i < 12; ++i)
      sum += static_cast<float>(engine_() >> 8) * 0x1p-24F;
    return sum;
  }

 private:
  std::mt19937 engine_;
};

std::int64_t element_count(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::string block(int layer, std::string_view name) {
  return "blk." + std::to_string(layer) + "." + std::string(name);
}

}  // namespace

const FamilyTraits& family_traits(std::string_view family) {
  for (const FamilyTraits& traits : all_traits()) {
    if (traits.name == family) return traits;
  }
  throw std::invalid_argument("no such family: " + std::string(family));
}

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const FamilyTraits& traits : all_traits())
    names.emplace_back(traits.name);
  return names;
}

TinyModel::TinyModel(const TinyOptions& options)
    : options_(options), traits_(family_traits(options.family)), keys_(gguf_init_empty()) {
  check(options_, traits_);
  if (options_.head_size == 0) options_.head_size = options_.embd / options_.heads;
  if (options_.rope_dims == 0) options_.rope_dims = options_.head_size;
  if (options_.head_type == GGML_TYPE_COUNT) options_.head_type = options_.weight_type;
  add_keys();
  add("token_embd.weight", {options_.embd, options_.vocab}, options_.head_type, 0.0F, 0.5F);
  add_vector("output_norm.weight", options_.embd, 1.0F, 0.1F);
  if (!options_.tied) {
    const float deviation = 2.0F / std::sqrt(static_cast<float>(options_.embd));
    add("output.weight", {options_.embd, options_.vocab}, options_.head_type, 0.0F, deviation);
  }
  if (options_.head_bias) add_vector("output.bias", options_.vocab, 0.0F, 0.5F);
  add_rope_factors();
  for (int layer = 0; layer < options_.layers; ++layer) {
    add_attention(layer);
    add_ffn(layer);
  }
}

std::string TinyModel::key(std::string_view suffix) const {
  return options_.family + "." + std::string(suffix);
}

void TinyModel::add(std::string name, std::vector<std::int64_t> shape, ggml_type type, float mean,
                    float deviation) {
  // Each tensor has its own stream, so that an option leaves the other tensors as they are.
  std::vector<std::uint32_t> seed_words(name.begin(), name.end());
  seed_words.push_back(options_.seed);
  std::seed_seq sequence(seed_words.begin(), seed_words.end());
  std::array<std::uint32_t, 1> seed{};
  sequence.generate(seed.begin(), seed.end());
  Noise noise(seed[0]);
  const std::int64_t count = element_count(shape);
  std::vector<float> values(static_cast<std::size_t>(count));
  std::generate(values.begin(), values.end(), [&] { return mean + deviation * noise(); });

  const std::int64_t row = shape.front();
  std::vector<std::uint8_t> data(ggml_row_size(type, row) * static_cast<std::size_t>(count / row));
  ggml_quantize_chunk(type, values.data(), data.data(), 0, count / row, row, nullptr);
  tensors_.push_back({std::move(name), std::move(shape), type, std::move(data)});
}

void TinyModel::add_matrix(std::string name, std::int64_t in, std::int64_t out, float gain) {
  add(std::move(name), {in, out}, options_.weight_type, 0.0F,
      gain / std::sqrt(static_cast<float>(in)));
}

void TinyModel::add_vector(std::string name, std::int64_t size, float mean, float deviation) {
  add(std::move(name), {size}, GGML_TYPE_F32, mean, deviation);
}

void TinyModel::add_keys() {
  gguf_context* keys = keys_.get();
  const auto set = [&](std::string_view suffix, int value) {
    gguf_set_val_u32(keys, key(suffix).c_str(), static_cast<std::uint32_t>(value));
  };
  gguf_set_val_str(keys, "general.architecture", options_.family.c_str());
  gguf_set_val_str(keys, "general.name", "tiny");
  set("block_count", options_.layers);
  set("context_length", options_.context);
  set("embedding_length", options_.embd);
  set("feed_forward_length", options_.ffn);
  set("attention.head_count", options_.heads);
  set("attention.head_count_kv", options_.kv_heads);
  set("vocab_size", options_.vocab);
  gguf_set_val_f32(keys, key("attention.layer_norm_rms_epsilon").c_str(), 1e-5F);
  if (options_.head_size * options_.heads != options_.embd) {
    set("attention.key_length", options_.head_size);
    set("attention.value_length", options_.head_size);
  }
  add_rope_keys();
  add_scale_keys();
  add_tokenizer_keys(keys, options_.tokenizer, options_.vocab);
}

void TinyModel::add_rope_keys() {
  gguf_context* keys = keys_.get();
  gguf_set_val_u32(keys, key("rope.dimension_count").c_str(),
                   static_cast<std::uint32_t>(options_.rope_dims));
  gguf_set_val_f32(keys, key("rope.freq_base").c_str(), options_.rope_base);
  const RopeScaling scaling = options_.rope_scaling;
  if (scaling == RopeScaling::linear || scaling == RopeScaling::yarn) {
    gguf_set_val_str(keys, key("rope.scaling.type").c_str(),
                     scaling == RopeScaling::linear ? "linear" : "yarn");
    gguf_set_val_f32(keys, key("rope.scaling.factor").c_str(), options_.rope_factor);
  }
  if (scaling == RopeScaling::longrope) {
    gguf_set_val_str(keys, key("rope.scaling.type").c_str(), "longrope");
  }
  if (options_.original_context != 0) {
    gguf_set_val_u32(keys, key("rope.scaling.original_context_length").c_str(),
                     static_cast<std::uint32_t>(options_.original_context));
  }
  if (options_.rope_attn_factor != 0.0F) {
    gguf_set_val_f32(keys, key("rope.scaling.attn_factor").c_str(), options_.rope_attn_factor);
  }
  if (options_.rope_off) gguf_set_val_bool(keys, key("rope.scaling.finetuned").c_str(), false);
}

void TinyModel::add_scale_keys() {
  gguf_context* keys = keys_.get();
  const auto set = [&](std::string_view suffix, float value) {
    if (value != 0.0F) gguf_set_val_f32(keys, key(suffix).c_str(), value);
  };
  set("final_logit_softcapping", options_.final_softcap);
  set("embedding_scale", options_.embedding_scale);
  set("residual_scale", options_.residual_scale);
  set("attention.scale", options_.attention_scale);
  // granite's files always name this one
  const float no_scale = traits_.may_scale ? 1.0F : 0.0F;
  set("logit_scale", options_.logit_scale != 0.0F ? options_.logit_scale : no_scale);
  if (options_.window != 0) {
    gguf_set_val_u32(keys, key("attention.sliding_window").c_str(),
                     static_cast<std::uint32_t>(options_.window));
  }
  const std::string pattern = key("attention.sliding_window_pattern");
  if (options_.window_pattern != 0) {
    gguf_set_val_u32(keys, pattern.c_str(), static_cast<std::uint32_t>(options_.window_pattern));
  }
  if (!options_.window_layers.empty()) {
    gguf_set_arr_data(keys, pattern.c_str(), GGUF_TYPE_BOOL, options_.window_layers.data(),
                      options_.window_layers.size());
  }
  set("rope.freq_base_swa", options_.window_rope_base);
}

void TinyModel::add_attention(int layer) {
  const TinyOptions& o = options_;
  const int query = o.heads * o.head_size;
  const int key_value = o.kv_heads * o.head_size;
  if (traits_.pre_norms) add_vector(block(layer, "attn_norm.weight"), o.embd, 1.0F, 0.1F);
  if (o.fused_qkv) {
    add_matrix(block(layer, "attn_qkv.weight"), o.embd, query + 2 * key_value, 1.5F);
    if (o.qkv_bias) add_vector(block(layer, "attn_qkv.bias"), query + 2 * key_value, 0.0F, 0.3F);
  } else {
    for (const auto& [name, size] :
         {std::pair{"attn_q", query}, {"attn_k", key_value}, {"attn_v", key_value}}) {
      add_matrix(block(layer, std::string(name) + ".weight"), o.embd, size, 1.5F);
      if (o.qkv_bias) add_vector(block(layer, std::string(name) + ".bias"), size, 0.0F, 0.3F);
    }
  }
  if (traits_.qk_norm || traits_.qk_norm_whole) {
    add_vector(block(layer, "attn_q_norm.weight"), traits_.qk_norm ? o.head_size : query, 1.2F,
               0.2F);
    add_vector(block(layer, "attn_k_norm.weight"), traits_.qk_norm ? o.head_size : key_value, 1.2F,
               0.2F);
  }
  add_matrix(block(layer, "attn_output.weight"), query, o.embd, 1.0F);
  if (o.attention_output_bias) add_vector(block(layer, "attn_output.bias"), o.embd, 0.0F, 0.2F);
  if (traits_.post_norms)
    add_vector(block(layer, "post_attention_norm.weight"), o.embd, 0.7F, 0.1F);
}

void TinyModel::add_ffn(int layer) {
  const TinyOptions& o = options_;
  if (traits_.pre_norms) add_vector(block(layer, "ffn_norm.weight"), o.embd, 1.0F, 0.1F);
  if (!traits_.fused_gate_up) add_matrix(block(layer, "ffn_gate.weight"), o.embd, o.ffn, 1.5F);
  add_matrix(block(layer, "ffn_up.weight"), o.embd, traits_.fused_gate_up ? 2 * o.ffn : o.ffn,
             1.5F);
  add_matrix(block(layer, "ffn_down.weight"), o.ffn, o.embd, 1.0F);
  if (o.ffn_bias) {
    add_vector(block(layer, "ffn_gate.bias"), o.ffn, 0.0F, 0.2F);
    add_vector(block(layer, "ffn_up.bias"), o.ffn, 0.0F, 0.2F);
    add_vector(block(layer, "ffn_down.bias"), o.embd, 0.0F, 0.2F);
  }
  if (traits_.post_norms) add_vector(block(layer, "post_ffw_norm.weight"), o.embd, 0.7F, 0.1F);
}

void TinyModel::add_rope_factors() {
  const std::int64_t size = options_.rope_dims / 2;
  if (options_.rope_scaling == RopeScaling::llama3)
    add_vector("rope_freqs.weight", size, 3.0F, 0.5F);
  if (options_.rope_scaling == RopeScaling::longrope) {
    add_vector("rope_factors_long.weight", size, 4.0F, 0.5F);
    add_vector("rope_factors_short.weight", size, 1.3F, 0.1F);
  }
}

TinyModel::Tensor& TinyModel::tensor(std::string_view name) {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [&](const Tensor& tensor) { return tensor.name == name; });
  if (found == tensors_.end()) throw std::invalid_argument("no such tensor: " + std::string(name));
  return *found;
}

bool TinyModel::has_tensor(std::string_view name) const {
  return std::any_of(tensors_.begin(), tensors_.end(),
                     [&](const Tensor& tensor) { return tensor.name == name; });
}

void TinyModel::drop(std::string_view name) {
  tensor(name);
  std::erase_if(tensors_, [&](const Tensor& tensor) { return tensor.name == name; });
}

void TinyModel::rename(std::string_view name, std::string new_name) {
  tensor(name).name = std::move(new_name);
}

void TinyModel::reshape(std::string_view name, std::vector<std::int64_t> shape) {
  Tensor& edited = tensor(name);
  const auto rows = static_cast<std::size_t>(element_count(shape) / shape.front());
  edited.data.assign(ggml_row_size(edited.type, shape.front()) * rows, 0);
  edited.shape = std::move(shape);
}

// All ggml types used here store zeros as zero bytes.
void TinyModel::zero(std::string_view name) {
  std::vector<std::uint8_t>& data = tensor(name).data;
  std::fill(data.begin(), data.end(), std::uint8_t{0});
}

void TinyModel::add_zeros(std::string name, std::vector<std::int64_t> shape) {
  add(std::move(name), std::move(shape), GGML_TYPE_F32, 0.0F, 0.0F);
}

std::vector<float> TinyModel::floats(std::string_view name) {
  const Tensor& read = tensor(name);
  if (read.type != GGML_TYPE_F32) throw std::invalid_argument(read.name + " is not F32");
  std::vector<float> values(read.data.size() / sizeof(float));
  std::memcpy(values.data(), read.data.data(), read.data.size());
  return values;
}

void TinyModel::multiply(std::string_view name, float factor) {
  std::vector<float> values = floats(name);
  for (float& value : values)
    value *= factor;
  std::memcpy(tensor(name).data.data(), values.data(), tensor(name).data.size());
}

void TinyModel::silence_attention(int layer) {
  zero(block(layer, "attn_output.weight"));
  if (options_.attention_output_bias) zero(block(layer, "attn_output.bias"));
  if (traits_.post_norms) zero(block(layer, "post_attention_norm.weight"));
}

void TinyModel::silence_ffn(int layer) {
  zero(block(layer, "ffn_down.weight"));
  if (options_.ffn_bias) zero(block(layer, "ffn_down.bias"));
  if (traits_.post_norms) zero(block(layer, "post_ffw_norm.weight"));
}

std::vector<std::uint8_t> TinyModel::bytes() const {
  const GgufPtr file(gguf_init_empty());
  gguf_set_kv(file.get(), keys_.get());
  const ggml_init_params params = {.mem_size = ggml_tensor_overhead() * (tensors_.size() + 1),
                                   .mem_buffer = nullptr,
                                   .no_alloc = true};
  const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(ggml_init(params), &ggml_free);
  for (const Tensor& tensor : tensors_) {
    ggml_tensor* described = ggml_new_tensor(
        context.get(), tensor.type, static_cast<int>(tensor.shape.size()), tensor.shape.data());
    ggml_set_name(described, tensor.name.c_str());
    gguf_add_tensor(file.get(), described);
  }
  std::vector<std::uint8_t> bytes(gguf_get_meta_size(file.get()));
  gguf_get_meta_data(file.get(), bytes.data());
  const std::size_t alignment = gguf_get_alignment(file.get());
  for (const Tensor& tensor : tensors_) {
    bytes.insert(bytes.end(), tensor.data.begin(), tensor.data.end());
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
  }
  return bytes;
}

void TinyModel::write(const std::filesystem::path& path) const {
  write_bytes(path, bytes());
}

void write_bytes(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace litestage::test
