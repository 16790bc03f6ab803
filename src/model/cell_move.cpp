#include "model/cell_move.h"

#include "model/model_config.h"
#include "model/rope.h"

namespace litestage {

CellMoveGraph build_cell_move_graph(const GraphContext& context, int cells) {
  const ModelConfig& config = context.config;
  const KvStorage& storage = context.storage;
  CellMoveGraph built;
  const std::size_t nodes = max_graph_nodes(config, 0);
  built.context = make_graph_context(nodes);
  ggml_context* ctx = built.context.get();
  built.graph = ggml_new_graph_custom(ctx, nodes, false);
  const auto input = [&](ggml_type type, std::int64_t count) {
    ggml_tensor* tensor = ggml_new_tensor_1d(ctx, type, count);
    ggml_set_input(tensor);
    return tensor;
  };
  built.from = input(GGML_TYPE_I32, cells);
  built.to = input(GGML_TYPE_I64, cells);
  built.by = input(GGML_TYPE_I32, cells);
  const std::int64_t width = config.n_embd_kv();
  if (storage.values_across(0) != nullptr) built.places = input(GGML_TYPE_I64, width * cells);

  const auto put = [&](ggml_tensor* to, ggml_tensor* rows, ggml_tensor* where) {
    ggml_build_forward_expand(built.graph, ggml_set_rows(ctx, to, rows, where));
  };
  for (int layer = 0; layer < config.n_layers; ++layer) {
    ggml_tensor* k = ggml_get_rows(ctx, storage.keys(layer), built.from);
    k = ggml_reshape_3d(ctx, k, config.head_dim, config.n_head_kv, cells);
    k = turn_further(ctx, context, k, built.by, layer);
    put(storage.keys(layer), ggml_reshape_2d(ctx, k, width, cells), built.to);
    ggml_tensor* v = ggml_get_rows(ctx, storage.values(layer), built.from);
    put(storage.values(layer), v, built.to);
    if (ggml_tensor* across = storage.values_across(layer); across != nullptr) {
      put(ggml_reshape_2d(ctx, across, 1, ggml_nelements(across)),
          ggml_reshape_2d(ctx, v, 1, width * cells), built.places);
    }
  }
  return built;
}

}  // namespace litestage
