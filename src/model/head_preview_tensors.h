#pragma once

#include <ggml-cpp.h>

namespace litestage {

/// Tensors of a head preview, where the graph reads them.
struct HeadPreviewTensors {
  ggml_tensor* projection = nullptr;  // f32 [n_embd, rank]; null when all dimensions are looked at
  ggml_tensor* matrix = nullptr;      // [rank, n_vocab]
  bool matrix_in_panels = false;      // weight_panels.h
};

}  // namespace litestage
