#include "model/tensor_list.h"

#include <unordered_set>

#include <fmt/format.h>
#include <ggml-cpu.h>

#include "model/families/family.h"

namespace litestage {
namespace {

std::string shape_text(const std::int64_t* shape) {
  return shape[1] == 1 ? fmt::format("[{}]", shape[0])
                       : fmt::format("[{}, {}]", shape[0], shape[1]);
}

bool is_weight_type(ggml_type type) {
  return type == GGML_TYPE_F32 || (ggml_get_type_traits(type)->to_float != nullptr &&
                                   ggml_get_type_traits_cpu(type)->vec_dot != nullptr);
}

}  // namespace

TensorList::TensorList(const GgufFile& file, const ModelConfig& config, ModelWeights& weights)
    : file_(file), config_(config) {
  if (gguf_get_n_tensors(file.header()) == 0) {
    file.fail("it holds a vocabulary but no weights", "get a file with the whole model");
  }
  list_globals(weights);
  weights.layers.resize(static_cast<std::size_t>(config.n_layers));
  for (int layer = 0; layer < config.n_layers; ++layer) {
    list_attention(layer, weights.layers[static_cast<std::size_t>(layer)]);
    list_ffn(layer, weights.layers[static_cast<std::size_t>(layer)]);
  }
  refuse_rest();
}

void TensorList::require(const std::string& name, std::array<std::int64_t, 2> shape,
                         TensorRole role, Part part, ggml_tensor*& slot) {
  if (!accept(name, shape, role, part, slot))
    file_.fail(fmt::format("tensor {} is missing", name), GET_AGAIN);
}

bool TensorList::accept(const std::string& name, std::array<std::int64_t, 2> shape, TensorRole role,
                        Part part, ggml_tensor*& slot) {
  const std::optional<GgufTensor> found = file_.tensor(name);
  if (!found) return false;
  if (!found->is(shape[0], shape[1])) {
    file_.fail(fmt::format("tensor {} has the shape {}, but {} is expected", name,
                           shape_text(found->shape.data()), shape_text(shape.data())),
               GET_AGAIN);
  }
  if (role == TensorRole::vector ? found->type != GGML_TYPE_F32 : !is_weight_type(found->type)) {
    file_.fail(
        fmt::format("tensor {} is {}, but {} is expected", name, ggml_type_name(found->type),
                    role == TensorRole::vector ? "f32" : "a floating-point or quantised type"),
        GET_AGAIN);
  }
  tensors_.push_back({name, found->id, found->type, shape, found->offset, found->bytes, role,
                      part.layer, part.read, &slot});
  if (part.read != nullptr) *part.read += found->bytes;
  return true;
}

void TensorList::list_globals(ModelWeights& weights) {
  const std::int64_t n_embd = config_.n_embd;
  const std::int64_t n_vocab = config_.n_vocab;
  const std::int64_t half_rot = config_.n_rot / 2;
  const Part head{-1, &weights.head_bytes};
  const Part apart{};
  using enum TensorRole;

  require("token_embd.weight", {n_embd, n_vocab}, embedding, apart, weights.token_embedding);
  weights.head_bytes += tensors_.back().bytes / static_cast<std::size_t>(n_vocab);
  require("output_norm.weight", {n_embd, 1}, vector, head, weights.output_norm);
  tied_ = !accept("output.weight", {n_embd, n_vocab}, matrix, head, weights.output);
  if (tied_) {
    // The same data in a second role: as a matrix it may be repacked, as an embedding it may not.
    accept("token_embd.weight", {n_embd, n_vocab}, matrix, head, weights.output);
  }
  accept("output.bias", {n_vocab, 1}, vector, head, weights.output_bias);
  accept("rope_freqs.weight", {half_rot, 1}, vector, apart, weights.rope_factors);
  accept("rope_factors_long.weight", {half_rot, 1}, vector, apart, weights.rope_long);
  accept("rope_factors_short.weight", {half_rot, 1}, vector, apart, weights.rope_short);
}

void TensorList::list_attention(int layer, LayerWeights& w) {
  const Family& family = *config_.family;
  const auto name = [&](const char* tensor) { return fmt::format("blk.{}.{}", layer, tensor); };
  const std::int64_t n_embd = config_.n_embd;
  const std::int64_t n_q = static_cast<std::int64_t>(config_.head_dim) * config_.n_head;
  const std::int64_t n_kv = config_.n_embd_kv();
  const Part part{layer, &w.bytes[static_cast<std::size_t>(Sublayer::attention)]};
  using enum TensorRole;

  if (family.pre_norm) require(name("attn_norm.weight"), {n_embd, 1}, vector, part, w.attn_norm);
  if (accept(name("attn_qkv.weight"), {n_embd, n_q + 2 * n_kv}, matrix, part, w.attn_qkv)) {
    accept(name("attn_qkv.bias"), {n_q + 2 * n_kv, 1}, vector, part, w.attn_qkv_bias);
  } else {
    require(name("attn_q.weight"), {n_embd, n_q}, matrix, part, w.attn_q);
    require(name("attn_k.weight"), {n_embd, n_kv}, matrix, part, w.attn_k);
    require(name("attn_v.weight"), {n_embd, n_kv}, matrix, part, w.attn_v);
    accept(name("attn_q.bias"), {n_q, 1}, vector, part, w.attn_q_bias);
    accept(name("attn_k.bias"), {n_kv, 1}, vector, part, w.attn_k_bias);
    accept(name("attn_v.bias"), {n_kv, 1}, vector, part, w.attn_v_bias);
  }
  if (family.qk_norm != QkNorm::none) {
    const bool whole = family.qk_norm == QkNorm::whole;
    require(name("attn_q_norm.weight"), {whole ? n_q : config_.head_dim, 1}, vector, part,
            w.attn_q_norm);
    require(name("attn_k_norm.weight"), {whole ? n_kv : config_.head_dim, 1}, vector, part,
            w.attn_k_norm);
  }
  require(name("attn_output.weight"), {n_q, n_embd}, matrix, part, w.attn_out);
  accept(name("attn_output.bias"), {n_embd, 1}, vector, part, w.attn_out_bias);
  if (family.post_norm)
    require(name("post_attention_norm.weight"), {n_embd, 1}, vector, part, w.attn_post_norm);
}

void TensorList::list_ffn(int layer, LayerWeights& w) {
  const Family& family = *config_.family;
  const auto name = [&](const char* tensor) { return fmt::format("blk.{}.{}", layer, tensor); };
  const std::int64_t n_embd = config_.n_embd;
  const std::int64_t n_ff = config_.n_ff;
  const Part part{layer, &w.bytes[static_cast<std::size_t>(Sublayer::ffn)]};
  using enum TensorRole;

  if (family.pre_norm) require(name("ffn_norm.weight"), {n_embd, 1}, vector, part, w.ffn_norm);
  if (family.fused_gate_up) {
    require(name("ffn_up.weight"), {n_embd, 2 * n_ff}, matrix, part, w.ffn_up);
  } else {
    require(name("ffn_gate.weight"), {n_embd, n_ff}, matrix, part, w.ffn_gate);
    require(name("ffn_up.weight"), {n_embd, n_ff}, matrix, part, w.ffn_up);
    accept(name("ffn_gate.bias"), {n_ff, 1}, vector, part, w.ffn_gate_bias);
    accept(name("ffn_up.bias"), {n_ff, 1}, vector, part, w.ffn_up_bias);
  }
  require(name("ffn_down.weight"), {n_ff, n_embd}, matrix, part, w.ffn_down);
  accept(name("ffn_down.bias"), {n_embd, 1}, vector, part, w.ffn_down_bias);
  if (family.post_norm)
    require(name("post_ffw_norm.weight"), {n_embd, 1}, vector, part, w.ffn_post_norm);
}

void TensorList::refuse_rest() const {
  std::unordered_set<std::string> known;
  for (const ListedTensor& tensor : tensors_)
    known.insert(tensor.name);
  for (std::int64_t id = 0; id < gguf_get_n_tensors(file_.header()); ++id) {
    const std::string name = gguf_get_tensor_name(file_.header(), id);
    if (!known.contains(name)) {
      file_.fail(fmt::format("tensor {} is not supported for the architecture {}", name,
                             config_.family->architecture),
                 "supported are dense models with gated FFN, as docs/families.md lists them");
    }
  }
}

}  // namespace litestage
