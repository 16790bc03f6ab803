#include "model/decoder_graph.h"

#include <fmt/format.h>

#include "model/families/family.h"
#include "model/model_config.h"
#include "model/model_weights.h"
#include "model/panel_product.h"
#include "model/rope.h"

namespace litestage {
namespace {

/// Builds one graph; each member function is one part of the decoder layer.
class GraphBuilder {
 public:
  GraphBuilder(const GraphContext& context, const GraphShape& shape)
      : config_(context.config),
        weights_(context.weights),
        storage_(context.storage),
        flash_attention_(context.flash_attention),
        context_(context) {
    built_.shape = shape;
    const std::size_t nodes = max_graph_nodes(config_, shape.taps.size());
    built_.context = make_graph_context(nodes);
    products_ = PanelProducts(ctx(), weights_.panels);
    built_.graph = ggml_new_graph_custom(built_.context.get(), nodes, false);
    built_.taps.resize(shape.taps.size());
    for (int layer = 0; layer < config_.n_layers; ++layer) {
      if (!shape.mask.skips(Sublayer::attention, layer)) last_attention_ = layer;
    }
  }

  DecoderGraph build() && {
    make_inputs();
    ggml_tensor* x = ggml_get_rows(ctx(), weights_.token_embedding, built_.tokens);
    if (config_.embedding_scale != 1.0F) x = ggml_scale(ctx(), x, config_.embedding_scale);
    ggml_build_forward_expand(built_.graph, x);
    if (last_attention_ < 0) x = keep_outputs(x);

    for (int layer = 0; layer < config_.n_layers; ++layer) {
      tap(x, TapPoint::layer_in, layer);
      x = attention_sublayer(x, layer);
      if (x == nullptr) return std::move(built_);  // nothing but K and V was wanted
      tap(x, TapPoint::attn_out, layer);
      x = ffn_sublayer(x, layer);
      tap(x, TapPoint::ffn_out, layer);
    }
    if (!built_.shape.taps.empty() || built_.shape.n_outputs > 0) finish(x);
    return std::move(built_);
  }

 private:
  ggml_context* ctx() const { return built_.context.get(); }

  ggml_tensor* input(ggml_type type, std::int64_t ne0, std::int64_t ne1, const char* name) {
    ggml_tensor* tensor =
        ne1 > 0 ? ggml_new_tensor_2d(ctx(), type, ne0, ne1) : ggml_new_tensor_1d(ctx(), type, ne0);
    ggml_set_name(tensor, name);
    ggml_set_input(tensor);
    return tensor;
  }

  void make_inputs() {
    const GraphShape& shape = built_.shape;
    built_.tokens = input(GGML_TYPE_I32, shape.n_tokens, 0, "tokens");
    built_.positions = input(GGML_TYPE_I32, shape.n_tokens, 0, "positions");
    built_.cells = input(GGML_TYPE_I64, shape.n_tokens, 0, "cells");
    for (int layer = 0; layer < config_.n_layers && built_.places == nullptr; ++layer) {
      if (storage_.values_across(layer) != nullptr) {
        built_.places =
            input(GGML_TYPE_I64, static_cast<std::int64_t>(config_.n_embd_kv()) * shape.n_tokens, 0,
                  "places");
      }
    }
    if (shape.n_outputs > 0 && shape.n_outputs < shape.n_tokens) {
      built_.output_rows = input(GGML_TYPE_I32, shape.n_outputs, 0, "output_rows");
    }
    if (shape.access != CellAccess::in_place) {
      const int readers = shape.access == CellAccess::copies ? shape.n_tokens : 1;
      built_.gathered =
          input(GGML_TYPE_I32, static_cast<std::int64_t>(shape.n_kv) * readers, 0, "gathered");
    }
    for (int i = 0; i < shape.n_masks; ++i) {
      built_.attention_masks.push_back(input(GGML_TYPE_F16, shape.n_kv, shape.n_tokens,
                                             fmt::format("attention_mask-{}", i).c_str()));
    }
  }

  /// From here on only the tokens whose logits are wanted go on; taps want them all.
  bool cuts_rows() const { return built_.output_rows != nullptr && built_.shape.taps.empty(); }

  ggml_tensor* keep_outputs(ggml_tensor* x) {
    return cuts_rows() ? ggml_get_rows(ctx(), x, built_.output_rows) : x;
  }

  void tap(ggml_tensor* x, TapPoint point, int layer) {
    for (std::size_t i = 0; i < built_.taps.size(); ++i) {
      if (built_.shape.taps[i].point != point || built_.shape.taps[i].layer != layer) continue;
      built_.taps[i] = give(x);
    }
  }

  /// A value that is wanted on the way.
  ggml_tensor* give(ggml_tensor* x) const {
    ggml_set_output(x);
    ggml_build_forward_expand(built_.graph, x);
    return x;
  }

  ggml_tensor* norm(ggml_tensor* x, ggml_tensor* weight) {
    return ggml_mul(ctx(), ggml_rms_norm(ctx(), x, config_.rms_eps), weight);
  }

  ggml_tensor* linear(ggml_tensor* weight, ggml_tensor* bias, ggml_tensor* x) {
    ggml_tensor* y = products_.multiply(weight, x);
    return bias != nullptr ? ggml_add(ctx(), y, bias) : y;
  }

  /// A skipped sublayer: the identity, or a scale.
  ggml_tensor* skipped(ggml_tensor* x, Sublayer sublayer, int layer) {
    const float scale = built_.shape.mask.scale(sublayer, layer);
    return scale == 1.0F ? x : ggml_scale(ctx(), x, scale);
  }

  ggml_tensor* add_residual(ggml_tensor* y, ggml_tensor* residual) {
    if (config_.residual_scale != 1.0F) y = ggml_scale(ctx(), y, config_.residual_scale);
    return ggml_add(ctx(), y, residual);
  }

  struct Projections {
    ggml_tensor* q;  // [head_dim, n_head, n_tokens]
    ggml_tensor* k;  // [head_dim, n_head_kv, n_tokens]
    ggml_tensor* v;  // [head_dim, n_head_kv, n_tokens]
  };

  Projections fused_projections(const LayerWeights& w, ggml_tensor* x) {
    ggml_tensor* qkv = linear(w.attn_qkv, w.attn_qkv_bias, x);
    const std::size_t head = ggml_row_size(qkv->type, config_.head_dim);
    const auto part = [&](int heads, int first_head) {
      return ggml_view_3d(ctx(), qkv, config_.head_dim, heads, x->ne[1], head, qkv->nb[1],
                          head * static_cast<std::size_t>(first_head));
    };
    return {part(config_.n_head, 0), part(config_.n_head_kv, config_.n_head),
            part(config_.n_head_kv, config_.n_head + config_.n_head_kv)};
  }

  ggml_tensor* split_heads(ggml_tensor* x, int heads) {
    return ggml_reshape_3d(ctx(), x, config_.head_dim, heads, x->ne[1]);
  }

  ggml_tensor* join_heads(ggml_tensor* x) {
    const std::int64_t width = x->ne[0] * x->ne[1];
    return ggml_is_contiguous(x) ? ggml_reshape_2d(ctx(), x, width, x->ne[2])
                                 : ggml_cont_2d(ctx(), x, width, x->ne[2]);
  }

  Projections projections(const LayerWeights& w, ggml_tensor* x, int layer) {
    Projections p;
    if (w.attn_qkv != nullptr) {
      p = fused_projections(w, x);
    } else {
      p = {split_heads(linear(w.attn_q, w.attn_q_bias, x), config_.n_head),
           split_heads(linear(w.attn_k, w.attn_k_bias, x), config_.n_head_kv),
           split_heads(linear(w.attn_v, w.attn_v_bias, x), config_.n_head_kv)};
    }
    if (config_.family->qk_norm == QkNorm::whole) {
      p.q = split_heads(norm(join_heads(p.q), w.attn_q_norm), config_.n_head);
      p.k = split_heads(norm(join_heads(p.k), w.attn_k_norm), config_.n_head_kv);
    }
    if (config_.family->qk_norm == QkNorm::per_head) {
      p.q = norm(p.q, w.attn_q_norm);
      p.k = norm(p.k, w.attn_k_norm);
    }
    p.q = turn(ctx(), context_, p.q, built_.positions, layer);
    p.k = turn(ctx(), context_, p.k, built_.positions, layer);
    if (config_.family->scale_queries) p.q = ggml_scale(ctx(), p.q, config_.attention_scale);
    return p;
  }

  void store(ggml_tensor* heads, ggml_tensor* storage) {
    // [head_dim, n_head_kv, n_tokens] seen as one row a token.
    ggml_tensor* rows =
        ggml_view_2d(ctx(), heads, config_.n_embd_kv(), heads->ne[2], heads->nb[2], 0);
    ggml_build_forward_expand(built_.graph, ggml_set_rows(ctx(), storage, rows, built_.cells));
  }

  /// The same values as a column for each token: every value is a row of its own.
  void store_across(ggml_tensor* heads, ggml_tensor* storage) {
    const std::int64_t values = built_.places->ne[0];
    ggml_tensor* each = ggml_reshape_2d(
        ctx(), ggml_is_contiguous(heads) ? heads : ggml_cont(ctx(), heads), 1, values);
    ggml_tensor* all = ggml_reshape_2d(ctx(), storage, 1, ggml_nelements(storage));
    ggml_build_forward_expand(built_.graph, ggml_set_rows(ctx(), all, each, built_.places));
  }

  /// The first n_kv cells of V across, as [n_kv, head_dim, n_head_kv].
  ggml_tensor* load_across(ggml_tensor* storage) {
    return ggml_view_3d(ctx(), storage, built_.shape.n_kv, config_.head_dim, config_.n_head_kv,
                        storage->nb[1], storage->nb[1] * static_cast<std::size_t>(config_.head_dim),
                        0);
  }

  /// The cells that all tokens look at, as [head_dim, n_kv, n_head_kv].
  ggml_tensor* load(ggml_tensor* storage) {
    if (built_.shape.access == CellAccess::copy_of_batch) return gather(storage, 1);
    const std::size_t head = ggml_row_size(storage->type, config_.head_dim);
    ggml_tensor* heads = ggml_view_3d(ctx(), storage, config_.head_dim, config_.n_head_kv,
                                      built_.shape.n_kv, head, storage->nb[1], 0);
    return ggml_permute(ctx(), heads, 0, 2, 1, 3);
  }

  /// Batches below a tile attend plainly, unless there is so little to attend to that more steps
  /// cost more than it saves (docs/performance.md).
  bool uses_flash(int layer) const {
    if (flash_attention_ != FlashAttention::automatic)
      return flash_attention_ == FlashAttention::on;
    constexpr int LITTLE = 2048;    // pairs of a query and a cell
    constexpr int FEW_CELLS = 256;  // from here on even one query is faster, where heads share K
    const bool has_no_choice = storage_.values_across(layer) == nullptr;
    const int n_tokens = built_.shape.n_tokens;
    const int n_kv = built_.shape.n_kv;
    return has_no_choice || n_tokens >= FLASH_TILE ||
           (n_kv < FEW_CELLS && n_tokens * n_kv <= LITTLE);
  }

  /// A copy of cells as [head_dim, n_kv, n_head_kv, readers].
  ggml_tensor* gather(ggml_tensor* storage, int readers) {
    ggml_tensor* rows = ggml_get_rows(ctx(), storage, built_.gathered);
    ggml_tensor* heads = ggml_reshape_4d(ctx(), rows, config_.head_dim, config_.n_head_kv,
                                         built_.shape.n_kv, readers);
    return ggml_permute(ctx(), heads, 0, 2, 1, 3);
  }

  /// Attention of tokens that look at no common cells. The heads that share K and V are the columns
  /// of one product.
  ggml_tensor* attend_copies(ggml_tensor* q, ggml_tensor* mask, float scale, int layer) {
    const std::int64_t n_kv = built_.shape.n_kv;
    const std::int64_t n_tokens = built_.shape.n_tokens;
    const std::int64_t sharing = config_.n_head / config_.n_head_kv;
    if (!ggml_is_contiguous(q)) q = ggml_cont(ctx(), q);
    q = ggml_reshape_4d(ctx(), q, config_.head_dim, sharing, config_.n_head_kv, n_tokens);
    ggml_tensor* scores =
        ggml_mul_mat(ctx(), gather(storage_.keys(layer), built_.shape.n_tokens), q);
    scores = ggml_reshape_4d(ctx(), scores, n_kv, 1, config_.n_head, n_tokens);
    mask = ggml_reshape_4d(ctx(), mask, n_kv, 1, 1, n_tokens);
    scores = ggml_soft_max_ext(ctx(), scores, mask, scale, 0.0F);
    scores = ggml_reshape_4d(ctx(), scores, n_kv, sharing, config_.n_head_kv, n_tokens);
    ggml_tensor* v = gather(storage_.values(layer), built_.shape.n_tokens);
    ggml_tensor* y = ggml_out_prod(ctx(), v, ggml_transpose(ctx(), scores));
    return ggml_reshape_2d(ctx(), y, static_cast<std::int64_t>(config_.head_dim) * config_.n_head,
                           n_tokens);
  }

  /// Plain attention of q, [head_dim, n_tokens, n_head]. The heads that share K and V are columns
  /// of one product, so that K and V are read once for all of them. Alone with `off` each head is a
  /// product of its own, as in libllama, whose numbers it is compared with: other shapes are
  /// rounded otherwise.
  ggml_tensor* attend_plainly(ggml_tensor* q, ggml_tensor* k, ggml_tensor* mask, float scale,
                              int layer) {
    const std::int64_t n_kv = built_.shape.n_kv;
    const std::int64_t n_tokens = built_.shape.n_tokens;
    const bool separate = flash_attention_ == FlashAttention::off;
    const std::int64_t products = separate ? config_.n_head : config_.n_head_kv;
    const std::int64_t columns = n_tokens * (config_.n_head / products);
    if (!ggml_is_contiguous(q)) q = ggml_cont(ctx(), q);
    q = ggml_reshape_3d(ctx(), q, config_.head_dim, columns, products);
    ggml_tensor* scores = ggml_mul_mat(ctx(), k, q);
    ggml_prec_set_acc(scores, GGML_PREC_F32);
    scores = ggml_reshape_3d(ctx(), scores, n_kv, n_tokens, config_.n_head);
    scores = ggml_soft_max_ext(ctx(), scores, mask, scale, 0.0F);
    scores = ggml_reshape_3d(ctx(), scores, n_kv, columns, products);
    ggml_tensor* y = ggml_mul_mat(ctx(), load_across(storage_.values_across(layer)), scores);
    y = ggml_reshape_3d(ctx(), y, config_.head_dim, n_tokens, config_.n_head);
    return ggml_cont_2d(ctx(), ggml_permute(ctx(), y, 0, 2, 1, 3),
                        static_cast<std::int64_t>(config_.head_dim) * config_.n_head, n_tokens);
  }

  ggml_tensor* attend(ggml_tensor* q, int layer) {
    ggml_tensor* mask = built_.attention_masks[static_cast<std::size_t>(
        built_.shape.mask_of_layer[static_cast<std::size_t>(layer)])];
    const float scale = config_.family->scale_queries ? 1.0F : config_.attention_scale;
    if (built_.shape.access == CellAccess::copies) return attend_copies(q, mask, scale, layer);
    q = ggml_permute(ctx(), q, 0, 2, 1, 3);
    ggml_tensor* k = load(storage_.keys(layer));
    const std::int64_t n_q = static_cast<std::int64_t>(config_.head_dim) * config_.n_head;
    if (uses_flash(layer)) {
      ggml_tensor* v = load(storage_.values(layer));
      ggml_tensor* y = ggml_flash_attn_ext(ctx(), q, k, v, mask, scale, 0.0F, 0.0F);
      ggml_prec_set_acc(y, GGML_PREC_F32);
      return ggml_reshape_2d(ctx(), y, n_q, y->ne[2]);
    }
    return attend_plainly(q, k, mask, scale, layer);
  }

  /// Null when this was the last thing wanted: K and V are stored, and no token goes on.
  ggml_tensor* attention_sublayer(ggml_tensor* x, int layer) {
    if (built_.shape.mask.skips(Sublayer::attention, layer))
      return skipped(x, Sublayer::attention, layer);
    const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer)];
    const Projections p = projections(w, w.attn_norm != nullptr ? norm(x, w.attn_norm) : x, layer);
    // In this order, as the nodes of one layer then stand together.
    ggml_build_forward_expand(built_.graph, p.q);
    store(p.k, storage_.keys(layer));
    store(p.v, storage_.values(layer));
    if (ggml_tensor* across = storage_.values_across(layer); across != nullptr)
      store_across(p.v, across);
    const bool is_last = layer == last_attention_;
    if (is_last && built_.shape.n_outputs == 0 && built_.shape.taps.empty()) return nullptr;

    ggml_tensor* y = linear(w.attn_out, w.attn_out_bias, attend(p.q, layer));
    if (is_last) {  // after this one no token looks at another
      y = keep_outputs(y);
      x = keep_outputs(x);
    }
    if (w.attn_post_norm != nullptr) y = norm(y, w.attn_post_norm);
    return add_residual(y, x);
  }

  ggml_tensor* ffn_sublayer(ggml_tensor* x, int layer) {
    if (built_.shape.mask.skips(Sublayer::ffn, layer)) return skipped(x, Sublayer::ffn, layer);
    const LayerWeights& w = weights_.layers[static_cast<std::size_t>(layer)];
    ggml_tensor* y = w.ffn_norm != nullptr ? norm(x, w.ffn_norm) : x;
    const bool is_gelu = config_.family->activation == Activation::gelu;
    if (w.ffn_gate == nullptr) {
      ggml_tensor* gate_up = linear(w.ffn_up, w.ffn_up_bias, y);
      y = is_gelu ? ggml_geglu(ctx(), gate_up) : ggml_swiglu(ctx(), gate_up);
    } else {
      ggml_tensor* up = linear(w.ffn_up, w.ffn_up_bias, y);
      ggml_tensor* gate = linear(w.ffn_gate, w.ffn_gate_bias, y);
      y = is_gelu ? ggml_geglu_split(ctx(), gate, up) : ggml_swiglu_split(ctx(), gate, up);
    }
    y = linear(w.ffn_down, w.ffn_down_bias, y);
    if (w.ffn_post_norm != nullptr) y = norm(y, w.ffn_post_norm);
    return add_residual(y, x);
  }

  /// By the head or, in its place, its preview.
  ggml_tensor* logits(ggml_tensor* x) {
    const HeadPreviewTensors* preview = built_.shape.preview;
    if (preview != nullptr && preview->projection != nullptr)
      x = ggml_mul_mat(ctx(), preview->projection, x);
    if (preview == nullptr) {
      x = products_.multiply(weights_.output, x);
    } else {
      x = preview->matrix_in_panels ? products_.multiply_panels(preview->matrix, x)
                                    : ggml_mul_mat(ctx(), preview->matrix, x);
    }
    if (weights_.output_bias != nullptr) x = ggml_add(ctx(), x, weights_.output_bias);
    if (config_.logit_scale != 1.0F) x = ggml_scale(ctx(), x, config_.logit_scale);
    if (const float cap = config_.final_softcap; cap != 0.0F)
      x = ggml_scale(ctx(), ggml_tanh(ctx(), ggml_scale(ctx(), x, 1.0F / cap)), cap);
    ggml_set_output(x);
    return x;
  }

  /// Final norm and head.
  void finish(ggml_tensor* x) {
    x = norm(x, weights_.output_norm);
    for (std::size_t i = 0; i < built_.taps.size(); ++i) {
      if (built_.shape.taps[i].point == TapPoint::final_norm)
        tap(x, TapPoint::final_norm, built_.shape.taps[i].layer);
    }
    if (built_.shape.n_outputs > 0) {
      if (built_.output_rows != nullptr && !cuts_rows())
        x = ggml_get_rows(ctx(), x, built_.output_rows);
      if (built_.shape.gives_states) built_.states = give(x);
      if (built_.shape.has_head) x = built_.logits = logits(x);
    }
    ggml_build_forward_expand(built_.graph, x);
  }

  const ModelConfig& config_;
  const ModelWeights& weights_;
  const KvStorage& storage_;
  const FlashAttention flash_attention_;
  const GraphContext& context_;
  int last_attention_ = -1;  ///< last layer whose attention is kept
  DecoderGraph built_;
  PanelProducts products_{nullptr, nullptr};
};

}  // namespace

ggml_context_ptr make_graph_context(std::size_t nodes) {
  const std::size_t bytes =
      nodes * ggml_tensor_overhead() + ggml_graph_overhead_custom(nodes, false);
  return ggml_context_ptr(ggml_init({.mem_size = bytes, .mem_buffer = nullptr, .no_alloc = true}));
}

std::size_t max_graph_nodes(const ModelConfig& config, std::size_t n_taps) {
  // A layer with every feature has about 60 nodes, views included; inputs, embedding and head
  // about 30.
  constexpr std::size_t A_LAYER = 64;
  constexpr std::size_t OUTSIDE = 64;
  return A_LAYER * static_cast<std::size_t>(config.n_layers) + OUTSIDE + n_taps;
}

DecoderGraph build_decoder_graph(const GraphContext& context, const GraphShape& shape) {
  return GraphBuilder(context, shape).build();
}

}  // namespace litestage
