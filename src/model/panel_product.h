#pragma once

#include <cstddef>

#include <ggml-cpp.h>

#include "model/activation_tile.h"

namespace litestage {

/// Whether weights lie in panels on this CPU, for products of our own (docs/decisions, 0016): where
/// vectors have 32 bytes and no more.
bool cpu_prefers_panels();

/// Puts products of weights with a graph's activations into it. Those of weights in panels are
/// ours: one node that rounds the activations, which products of the same ones share, and one for
/// each product. All others are ggml's.
class PanelProducts {
 public:
  /// @param panels where matrices lie in panels; null: nowhere
  PanelProducts(ggml_context* context, ggml_backend_buffer_t panels)
      : context_(context), panels_(panels) {}

  /// @param weight [columns, rows]
  /// @param x f32 [columns, n_tokens], its rows contiguous
  /// @returns f32 [rows, n_tokens]
  ggml_tensor* multiply(ggml_tensor* weight, ggml_tensor* x);
  /// The same with a weight that lies in panels elsewhere.
  ggml_tensor* multiply_panels(ggml_tensor* weight, ggml_tensor* x);

 private:
  ggml_tensor* rounded(ggml_tensor* x, ActivationFormat format);

  ggml_context* context_;
  ggml_backend_buffer_t panels_;
  // The activations that were rounded last, and how many products read them by now.
  const ggml_tensor* x_ = nullptr;
  ActivationFormat format_ = ActivationFormat::blocks_of_32;
  ggml_tensor* rounded_ = nullptr;
  std::size_t readers_ = 0;
};

}  // namespace litestage
