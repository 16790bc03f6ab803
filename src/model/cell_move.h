#pragma once

#include <ggml-cpp.h>

#include "model/decoder_graph.h"

namespace litestage {

/// A cell whose K and V are wanted in another cell, for a token that stands so many positions
/// further on.
struct CellMove {
  int from = 0;
  int to = 0;
  int by = 0;
};

/// Copies cells: V as it is, K turned to its new position.
struct CellMoveGraph {
  ggml_context_ptr context;
  ggml_cgraph* graph = nullptr;
  ggml_tensor* from = nullptr;    // i32 [cells]
  ggml_tensor* to = nullptr;      // i64 [cells]
  ggml_tensor* by = nullptr;      // i32 [cells]; without a buffer where no layer turns K
  ggml_tensor* places = nullptr;  // i64 [n_embd_kv * cells]: where values go, V across; or null
};

CellMoveGraph build_cell_move_graph(const GraphContext& context, int cells);

}  // namespace litestage
