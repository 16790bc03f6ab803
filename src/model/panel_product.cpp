#include "model/panel_product.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <span>

#include <ggml-cpu.h>

#include "model/panel_kernel.h"

namespace litestage {
namespace {

/// Rounded activations are bytes: a counter for each product that may read them, which says how
/// many of its panels are taken, then the tiles.
constexpr std::size_t MAX_READERS = 4;
using Counter = std::int32_t;
constexpr std::size_t COUNTER_BYTES = 64;  // a cache line for all of them
static_assert(MAX_READERS * sizeof(Counter) <= COUNTER_BYTES);

/// A node's thread `ith` of `nth` rounds every so-manieth tile.
template <ActivationFormat FORMAT>
void round_activations(ggml_tensor* node, int ith, int nth, void* /*user data*/) {
  auto* data = static_cast<std::byte*>(node->data);
  if (ith == 0) std::fill_n(data, COUNTER_BYTES, std::byte{0});
  const ggml_tensor* x = node->src[0];
  const auto columns = static_cast<int>(x->ne[0]);
  const auto n_tokens = static_cast<int>(x->ne[1]);
  for (int i = ith; i < tile_count(n_tokens); i += nth) {
    const TokenRange tile = tile_of(n_tokens, i);
    std::array<const float*, TILE_TOKENS> rows{};
    for (int t = 0; t < tile.count; ++t) {
      rows[static_cast<std::size_t>(t)] =
          reinterpret_cast<const float*>(static_cast<const std::byte*>(x->data) +
                                         x->nb[1] * static_cast<std::size_t>(tile.first + t));
    }
    round_tile(FORMAT, std::span(rows).first(static_cast<std::size_t>(tile.count)), columns,
               data + COUNTER_BYTES +
                   activation_bytes(FORMAT, columns) * static_cast<std::size_t>(tile.first));
  }
}

/// Threads take panels a few at a time, so that a slower core gets fewer of them.
template <std::size_t READER>
void multiply_batch(ggml_tensor* node, int /*ith*/, int nth, void* weight_tensor) {
  const auto* weight = static_cast<const ggml_tensor*>(weight_tensor);
  auto* data = static_cast<std::byte*>(node->src[0]->data);
  const std::atomic_ref<Counter> taken(reinterpret_cast<Counter*>(data)[READER]);
  constexpr int SHARES = 8;  // of each thread
  const auto panels = static_cast<Counter>(weight->ne[1] / PANEL_ROWS);
  const Counter share = std::max(1, panels / (nth * SHARES));
  for (Counter first = taken.fetch_add(share); first < panels; first = taken.fetch_add(share)) {
    for (Counter panel = first; panel < std::min(panels, first + share); ++panel) {
      const auto row = static_cast<std::size_t>(panel) * PANEL_ROWS;
      multiply_panel(
          weight->type, static_cast<const std::byte*>(weight->data) + weight->nb[1] * row,
          static_cast<int>(weight->ne[0]), data + COUNTER_BYTES, static_cast<int>(node->ne[1]),
          static_cast<float*>(node->data) + row, static_cast<std::size_t>(node->ne[0]));
    }
  }
}

constexpr std::array<ggml_custom_op_t, MAX_READERS> MULTIPLY{multiply_batch<0>, multiply_batch<1>,
                                                             multiply_batch<2>, multiply_batch<3>};

}  // namespace

bool cpu_prefers_panels() {
  return cpu_has_panel_kernel() && ggml_cpu_has_avx512() == 0;
}

ggml_tensor* PanelProducts::rounded(ggml_tensor* x, ActivationFormat format) {
  if (x == x_ && format == format_ && readers_ < MAX_READERS) return rounded_;
  const std::size_t bytes = COUNTER_BYTES + activation_bytes(format, static_cast<int>(x->ne[0])) *
                                                static_cast<std::size_t>(x->ne[1]);
  x_ = x;
  format_ = format;
  readers_ = 0;
  rounded_ = ggml_custom_4d(
      context_, GGML_TYPE_I8, static_cast<std::int64_t>(bytes), 1, 1, 1, &x, 1,
      format == ActivationFormat::blocks_of_256 ? round_activations<ActivationFormat::blocks_of_256>
                                                : round_activations<ActivationFormat::blocks_of_32>,
      GGML_N_TASKS_MAX, nullptr);
  return rounded_;
}

ggml_tensor* PanelProducts::multiply(ggml_tensor* weight, ggml_tensor* x) {
  const bool in_panels = panels_ != nullptr && weight->buffer == panels_;
  return in_panels ? multiply_panels(weight, x) : ggml_mul_mat(context_, weight, x);
}

ggml_tensor* PanelProducts::multiply_panels(ggml_tensor* weight, ggml_tensor* x) {
  assert(fits_panels(weight->type, weight->ne[0], weight->ne[1]));
  assert(x->type == GGML_TYPE_F32 && x->nb[0] == sizeof(float) && x->ne[2] * x->ne[3] == 1);
  ggml_tensor* activations = rounded(x, *panel_activations(weight->type));
  // The weight is no source of the node, as it is not what its type says.
  return ggml_custom_4d(context_, GGML_TYPE_F32, weight->ne[1], x->ne[1], 1, 1, &activations, 1,
                        MULTIPLY[readers_++], GGML_N_TASKS_MAX, weight);
}

}  // namespace litestage
