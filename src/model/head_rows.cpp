#include "model/head_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <ggml-cpu.h>

#include "base/parallel.h"
#include "model/model_config.h"
#include "model/model_weights.h"

namespace litestage {
namespace {

constexpr std::size_t ROWS_AHEAD = 4;   // of the one that is computed
constexpr std::size_t CACHE_LINE = 64;  // bytes

}  // namespace

HeadRows::HeadRows(const Model& model)
    : model_(model),
      row_bytes_(ggml_row_size(model.weights().head_rows_type, model.embedding_size())) {
  ggml_cpu_init();
  if (const ggml_tensor* bias = model.weights().output_bias; bias != nullptr) {
    bias_.resize(static_cast<std::size_t>(model.vocabulary_size()));
    ggml_backend_tensor_get(bias, bias_.data(), 0, bias_.size() * sizeof(float));
  }
}

/// The state in the type that ggml's kernels for the head's type take.
void HeadRows::quantise(std::span<const float> state) {
  const ggml_type type = ggml_get_type_traits_cpu(model_.weights().head_rows_type)->vec_dot_type;
  state_.resize(ggml_row_size(type, model_.embedding_size()));
  if (type == GGML_TYPE_F32) {
    std::memcpy(state_.data(), state.data(), state_.size());
  } else {
    ggml_get_type_traits_cpu(type)->from_float(state.data(), state_.data(),
                                               model_.embedding_size());
  }
}

float HeadRows::row(int index) const {
  const ModelConfig& config = model_.config();
  const ModelWeights& weights = model_.weights();
  float logit = 0;
  ggml_get_type_traits_cpu(weights.head_rows_type)
      ->vec_dot(config.n_embd, &logit, 0,
                weights.head_rows + static_cast<std::size_t>(index) * row_bytes_, 0, state_.data(),
                0, 1);
  if (!bias_.empty()) logit += bias_[static_cast<std::size_t>(index)];
  logit *= config.logit_scale;
  if (config.final_softcap != 0.0F)
    logit = config.final_softcap * std::tanh(logit / config.final_softcap);
  return logit;
}

void HeadRows::compute(std::span<const float> state, std::span<const int> rows,
                       std::span<float> logits) {
  quantise(state);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // Rows lie anywhere in memory, so that the processor cannot tell which one comes next.
    if (i + ROWS_AHEAD < rows.size()) fetch(rows[i + ROWS_AHEAD]);
    logits[static_cast<std::size_t>(rows[i])] = row(rows[i]);
  }
}

void HeadRows::compute_packed(std::span<const float> state, std::span<const int> rows,
                              std::span<float> logits) {
  quantise(state);
  std::ranges::transform(rows, logits.begin(), [this](int index) { return row(index); });
}

void HeadRows::fetch(int index) const {
  const auto* bytes = model_.weights().head_rows + static_cast<std::size_t>(index) * row_bytes_;
  for (std::size_t at = 0; at < row_bytes_; at += CACHE_LINE)
    __builtin_prefetch(bytes + at);
}

void HeadRows::compute_all(std::span<const float> state, std::span<float> logits, int threads) {
  quantise(state);
  constexpr int PART = 1024;
  const int count = static_cast<int>(logits.size());
  for_each_index((count + PART - 1) / PART, threads, [&](int part) {
    for (int index = part * PART; index < std::min(count, (part + 1) * PART); ++index)
      logits[static_cast<std::size_t>(index)] = row(index);
  });
}

}  // namespace litestage
