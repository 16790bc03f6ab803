#include "litestage/decoder.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "litestage/error.h"
#include "model/compute.h"
#include "model/head_rows.h"
#include "model/kv_cache.h"
#include "model/model_config.h"
#include "model/model_weights.h"

namespace litestage {
namespace {

constexpr int DEFAULT_CONTEXT = 4096;
constexpr int KV_STEP =
    256;  // cells looked at grow in such steps, so that a decode loop rarely rebuilds

DecoderOptions complete(DecoderOptions options, const Model& model) {
  const auto check = [](const char* flag, int value, int low) {
    if (value < low)
      throw UserError(flag, fmt::format("{} is too small", value),
                      fmt::format("use at least {}", low));
  };
  check("-c", options.context, 0);
  check("-t", options.threads, 0);
  check("-ub", options.ubatch, 1);
  if (options.context > model.trained_context()) {
    throw UserError(
        "-c",
        fmt::format("a context of {} tokens is more than the {} this model was trained for",
                    options.context, model.trained_context()),
        "use a smaller one");
  }
  if (options.context == 0) options.context = std::min(DEFAULT_CONTEXT, model.trained_context());
  if (options.threads == 0) options.threads = default_thread_count();
  options.ubatch = std::min(options.ubatch, options.context);
  if (options.flash_attention == FlashAttention::off && options.kv_type == KvType::q8_0) {
    throw UserError("-ctk", "a q8_0 cache needs flash attention",
                    "use -ctk f16, or flash attention");
  }
  return options;
}

ForwardResult interrupted() {
  ForwardResult result;
  result.interrupted = true;
  return result;
}

/// One token on its way through: where it is written and what it may look at.
struct PlacedToken {
  Token token;
  SequenceId sequence;
  std::int32_t position;
  std::int32_t cell;
  bool want_logits;
};

}  // namespace

struct Decoder::Impl {
  Impl(std::shared_ptr<const Model> loaded, const DecoderOptions& wanted)
      : model(std::move(loaded)),
        options(complete(wanted, *model)),
        cells(options.context),
        storage(*model, options.context, options.kv_type),
        compute(*model, options.threads) {}

  ForwardResult forward(std::span<const BatchToken> batch, const SublayerMask& mask,
                        std::span<const Tap> taps, HeadUse head);

  void check(std::span<const BatchToken> batch, const SublayerMask& mask,
             std::span<const Tap> taps) const;
  int first_lacking(SequenceId sequence, const SublayerMask& mask) const;
  void refuse_missing(std::span<const SequenceId> sequences, const SublayerMask& mask) const;
  void check_room(std::size_t tokens) const;
  std::size_t cells_to_backfill(std::span<const SequenceId> sequences,
                                const SublayerMask& mask) const;
  bool backfill(std::span<const SequenceId> sequences, const SublayerMask& mask, int& count);
  bool compute_all(std::span<const PlacedToken> placed, const SublayerMask& mask,
                   std::span<const Tap> taps, ForwardResult& result);
  bool compute_ubatch(std::span<const PlacedToken> placed, const SublayerMask& mask,
                      std::span<const Tap> taps);
  GraphShape shape_for(std::span<const PlacedToken> placed, const SublayerMask& mask,
                       std::span<const Tap> taps);
  void set_inputs(DecoderGraph& graph, std::span<const PlacedToken> placed);
  void fill_mask(std::span<const PlacedToken> placed, std::size_t group, int n_kv);
  void correct_logits(const DecoderGraph& graph, std::span<float> rows);
  void collect(const DecoderGraph& graph, bool alone, std::size_t n_ubatches,
               ForwardResult& result);

  /// Layers that see the same cells: windowed or not, and the masks whose cells they lack.
  struct MaskGroup {
    bool windowed = false;
    std::set<KvCells::MaskId> lacking;
    bool operator==(const MaskGroup&) const = default;
  };

  std::shared_ptr<const Model> model;
  DecoderOptions options;
  KvCells cells;
  KvStorage storage;
  Compute compute;
  DecoderGraph* last_graph = nullptr;
  std::shared_ptr<const HeadPreview> preview;
  std::unique_ptr<HeadRows> head_rows;
  const HeadPreviewTensors* head_in_use = nullptr;  // of the forward call at hand
  HeadStatistics head_statistics;
  std::vector<MaskGroup> groups;
  std::vector<ggml_fp16_t> mask_values;    // [n_tokens, n_kv], reused
  std::vector<std::int32_t> integers;      // reused
  std::vector<std::int64_t> cell_indices;  // reused
  std::vector<float> logits;               // rows of several ubatches, or of a device
  std::vector<std::vector<float>> tap_values;
};

void Decoder::Impl::check(std::span<const BatchToken> batch, const SublayerMask& mask,
                          std::span<const Tap> taps) const {
  for (const BatchToken& token : batch) {
    if (token.token < 0 || token.token >= model->vocabulary_size()) {
      throw UserError("batch", fmt::format("token {} is outside the vocabulary of {}", token.token,
                                           model->vocabulary_size()));
    }
  }
  if (mask.last_layer() >= model->layer_count()) {
    throw UserError("mask", fmt::format("there is no layer {}", mask.last_layer()),
                    fmt::format("this model's layers are 0 to {}", model->layer_count() - 1));
  }
  for (const Tap& tap : taps) {
    if (tap.point != TapPoint::final_norm && (tap.layer < 0 || tap.layer >= model->layer_count())) {
      throw UserError("tap", fmt::format("there is no layer {}", tap.layer));
    }
  }
}

/// Position of the first cell that lacks a layer the mask keeps, or the sequence's length.
int Decoder::Impl::first_lacking(SequenceId sequence, const SublayerMask& mask) const {
  std::vector<bool> lacks(static_cast<std::size_t>(cells.mask_count()));
  for (int id = 0; id < cells.mask_count(); ++id) {
    lacks[static_cast<std::size_t>(id)] =
        (cells.mask(id).skipped_attention() & ~mask.skipped_attention()).any();
  }
  const auto held = cells.sequence(sequence);
  const auto found = std::find_if(held.begin(), held.end(), [&](std::int32_t cell) {
    return lacks[static_cast<std::size_t>(cells.cell(cell).mask)];
  });
  return static_cast<int>(found - held.begin());
}

void Decoder::Impl::refuse_missing(std::span<const SequenceId> sequences,
                                   const SublayerMask& mask) const {
  for (const SequenceId sequence : sequences) {
    const int position = first_lacking(sequence, mask);
    const auto held = cells.sequence(sequence);
    if (position == static_cast<int>(held.size())) continue;
    const SublayerMask& written =
        cells.mask(cells.cell(held[static_cast<std::size_t>(position)]).mask);
    throw UserError(
        "KV cache",
        fmt::format("position {} was computed without attention sublayers that are needed now ({})",
                    position, written.to_string()),
        "remove the sequence, or let the decoder backfill or tolerate it");
  }
}

void Decoder::Impl::check_room(std::size_t tokens) const {
  if (tokens <= static_cast<std::size_t>(cells.free_count())) return;
  throw UserError("context",
                  fmt::format("{} tokens do not fit: {} of {} cells are free", tokens,
                              cells.free_count(), cells.capacity()),
                  "use a larger -c or shorter texts");
}

/// Distinct cells from each sequence's first lacking one on.
std::size_t Decoder::Impl::cells_to_backfill(std::span<const SequenceId> sequences,
                                             const SublayerMask& mask) const {
  std::set<std::int32_t> distinct;
  for (const SequenceId sequence : sequences) {
    const auto all = cells.sequence(sequence);
    distinct.insert(all.begin() + first_lacking(sequence, mask), all.end());
  }
  return distinct.size();
}

/// Recomputes every sequence from its first lacking cell on. Old cells stay held until all went
/// well, so that an interruption can restore everything. Cells that sequences share stay shared.
bool Decoder::Impl::backfill(std::span<const SequenceId> sequences, const SublayerMask& mask,
                             int& count) {
  const KvCells before = cells;
  const KvCells::MaskId mask_id = cells.intern(mask);
  std::map<std::int32_t, std::int32_t> replacement;  // old cell to new one
  std::vector<std::int32_t> held;
  std::vector<PlacedToken> placed;
  for (const SequenceId sequence : sequences) {
    const auto all = cells.sequence(sequence);
    const int first = first_lacking(sequence, mask);
    const std::vector<std::int32_t> old(all.begin() + first, all.end());
    cells.hold(old);
    held.insert(held.end(), old.begin(), old.end());
    cells.truncate(sequence, first);
    for (std::size_t i = 0; i < old.size(); ++i) {
      const auto shared = replacement.find(old[i]);
      if (shared != replacement.end()) {
        cells.share(sequence, shared->second);
        continue;
      }
      const Token token = cells.cell(old[i]).token;
      const int cell = cells.append(sequence, token, mask_id);
      replacement.emplace(old[i], cell);
      placed.push_back({token, sequence, first + static_cast<std::int32_t>(i), cell, false});
    }
  }
  ForwardResult unused;
  bool done = false;
  try {
    done = placed.empty() || compute_all(placed, mask, {}, unused);
  } catch (const UserError&) {
    cells = before;
    throw;
  }
  if (!done) {
    cells = before;
    return false;
  }
  cells.release(held);
  count = static_cast<int>(placed.size());
  return true;
}

ForwardResult Decoder::Impl::forward(std::span<const BatchToken> batch, const SublayerMask& mask,
                                     std::span<const Tap> taps, HeadUse head) {
  check(batch, mask, taps);
  head_in_use = head == HeadUse::preview && preview ? &preview->tensors() : nullptr;
  ForwardResult result;
  if (batch.empty()) return result;
  std::vector<SequenceId> sequences;
  for (const BatchToken& token : batch) {
    if (std::find(sequences.begin(), sequences.end(), token.sequence) == sequences.end())
      sequences.push_back(token.sequence);
  }
  const bool fills = options.missing_kv == MissingKv::backfill;
  check_room(batch.size() + (fills ? cells_to_backfill(sequences, mask) : 0));
  if (options.missing_kv == MissingKv::refuse) refuse_missing(sequences, mask);
  if (fills && !backfill(sequences, mask, result.backfilled)) {
    return interrupted();
  }

  const KvCells::MaskId mask_id = cells.intern(mask);
  std::map<SequenceId, int> lengths;
  for (const SequenceId sequence : sequences)
    lengths[sequence] = static_cast<int>(cells.sequence(sequence).size());
  std::vector<PlacedToken> placed;
  placed.reserve(batch.size());
  for (const BatchToken& token : batch) {
    const auto position = static_cast<std::int32_t>(cells.sequence(token.sequence).size());
    const int cell = cells.append(token.sequence, token.token, mask_id);
    placed.push_back({token.token, token.sequence, position, cell, token.want_logits});
  }
  const auto undo = [&] {
    for (const auto& [sequence, length] : lengths)
      cells.truncate(sequence, length);
  };
  try {
    if (compute_all(placed, mask, taps, result)) return result;
  } catch (const UserError&) {
    undo();
    throw;
  }
  undo();
  return interrupted();
}

bool Decoder::Impl::compute_all(std::span<const PlacedToken> placed, const SublayerMask& mask,
                                std::span<const Tap> taps, ForwardResult& result) {
  const auto ubatch = static_cast<std::size_t>(options.ubatch);
  const std::size_t n_ubatches = (placed.size() + ubatch - 1) / ubatch;
  logits.clear();
  tap_values.assign(taps.size(), {});
  for (std::size_t i = 0; i < n_ubatches; ++i) {
    const auto part = placed.subspan(i * ubatch, std::min(ubatch, placed.size() - i * ubatch));
    if (!compute_ubatch(part, mask, taps)) return false;
    result.rows += last_graph->shape.n_outputs;
    collect(*last_graph, n_ubatches == 1, n_ubatches, result);
  }
  if (n_ubatches > 1 || result.logits.empty()) result.logits = logits;
  for (const std::vector<float>& values : tap_values)
    result.taps.emplace_back(values);
  return true;
}

/// Pass two of the head: puts exact logits in the place of the preview's where these are high, and
/// everywhere when the best one does not stand out.
void Decoder::Impl::correct_logits(const DecoderGraph& graph, std::span<float> rows) {
  const auto n_vocab = static_cast<std::size_t>(model->vocabulary_size());
  const auto n_embd = static_cast<std::size_t>(model->embedding_size());
  std::vector<float> states(static_cast<std::size_t>(ggml_nelements(graph.states)));
  ggml_backend_tensor_get(graph.states, states.data(), 0, states.size() * sizeof(float));
  for (std::size_t i = 0; i < rows.size() / n_vocab; ++i) {
    const std::span<float> row = rows.subspan(i * n_vocab, n_vocab);
    const std::span<const float> state = std::span(states).subspan(i * n_embd, n_embd);
    const Proposals proposals = propose(row, preview->info().proposals);
    head_rows->compute(state, proposals.rows, row);
    float best = -std::numeric_limits<float>::infinity();
    for (const int index : proposals.rows)
      best = std::max(best, row[static_cast<std::size_t>(index)]);
    ++head_statistics.previewed;
    if (best >= proposals.threshold + preview->info().margin) continue;
    ++head_statistics.full;
    head_rows->compute_all(state, row, options.threads);
  }
}

/// Reads logits and taps of one ubatch. A single ubatch on the CPU needs no copy of its logits.
void Decoder::Impl::collect(const DecoderGraph& graph, bool alone, std::size_t n_ubatches,
                            ForwardResult& result) {
  if (graph.logits != nullptr) {
    const auto count = static_cast<std::size_t>(ggml_nelements(graph.logits));
    std::span<float> rows;
    if (alone && ggml_backend_buffer_is_host(graph.logits->buffer)) {
      rows = {static_cast<float*>(graph.logits->data), count};
      result.logits = rows;
    } else {
      const std::size_t old = logits.size();
      if (old == 0) logits.reserve(count * n_ubatches);
      logits.resize(old + count);
      rows = std::span(logits).subspan(old);
      ggml_backend_tensor_get(graph.logits, rows.data(), 0, count * sizeof(float));
    }
    if (graph.states != nullptr) correct_logits(graph, rows);
  }
  for (std::size_t i = 0; i < tap_values.size(); ++i) {
    const auto count = static_cast<std::size_t>(ggml_nelements(graph.taps[i]));
    const std::size_t old = tap_values[i].size();
    tap_values[i].resize(old + count);
    ggml_backend_tensor_get(graph.taps[i], tap_values[i].data() + old, 0, count * sizeof(float));
  }
}

GraphShape Decoder::Impl::shape_for(std::span<const PlacedToken> placed, const SublayerMask& mask,
                                    std::span<const Tap> taps) {
  GraphShape shape;
  shape.mask = mask;
  shape.n_tokens = static_cast<int>(placed.size());
  shape.n_outputs = static_cast<int>(std::count_if(
      placed.begin(), placed.end(), [](const PlacedToken& t) { return t.want_logits; }));
  shape.n_kv = std::min(cells.capacity(), (cells.used_end() + KV_STEP - 1) / KV_STEP * KV_STEP);
  shape.taps.assign(taps.begin(), taps.end());
  if (shape.n_outputs > 0) shape.preview = head_in_use;

  groups.clear();
  shape.mask_of_layer.assign(static_cast<std::size_t>(model->layer_count()), 0);
  for (int layer = 0; layer < model->layer_count(); ++layer) {
    if (mask.skips(Sublayer::attention, layer)) continue;
    MaskGroup group{.windowed = model->config().is_windowed[static_cast<std::size_t>(layer)],
                    .lacking = {}};
    if (options.missing_kv == MissingKv::tolerate) {
      for (int id = 0; id < cells.mask_count(); ++id) {
        if (cells.mask(id).skips(Sublayer::attention, layer)) group.lacking.insert(id);
      }
    }
    const auto found = std::find(groups.begin(), groups.end(), group);
    shape.mask_of_layer[static_cast<std::size_t>(layer)] = static_cast<int>(found - groups.begin());
    if (found == groups.end()) groups.push_back(std::move(group));
  }
  shape.n_masks = static_cast<int>(groups.size());
  return shape;
}

bool Decoder::Impl::compute_ubatch(std::span<const PlacedToken> placed, const SublayerMask& mask,
                                   std::span<const Tap> taps) {
  const GraphContext context = {model->config(), model->weights(), storage, options.context,
                                options.flash_attention};
  DecoderGraph& graph = compute.prepare(context, shape_for(placed, mask, taps));
  last_graph = &graph;
  set_inputs(graph, placed);
  return compute.run();
}

void Decoder::Impl::set_inputs(DecoderGraph& graph, std::span<const PlacedToken> placed) {
  // A mask may leave inputs without a use; then they have no buffer.
  const auto set = [](ggml_tensor* tensor, const void* data) {
    if (tensor != nullptr && tensor->buffer != nullptr)
      ggml_backend_tensor_set(tensor, data, 0, ggml_nbytes(tensor));
  };
  const auto set_integers = [&](ggml_tensor* tensor, auto&& value_of) {
    integers.clear();
    for (const PlacedToken& token : placed)
      integers.push_back(value_of(token));
    set(tensor, integers.data());
  };
  set_integers(graph.tokens, [](const PlacedToken& t) { return t.token; });
  set_integers(graph.positions, [](const PlacedToken& t) { return t.position; });
  cell_indices.clear();
  for (const PlacedToken& token : placed)
    cell_indices.push_back(token.cell);
  set(graph.cells, cell_indices.data());
  if (graph.output_rows != nullptr) {
    integers.clear();
    for (std::size_t i = 0; i < placed.size(); ++i) {
      if (placed[i].want_logits) integers.push_back(static_cast<std::int32_t>(i));
    }
    set(graph.output_rows, integers.data());
  }
  for (std::size_t group = 0; group < graph.attention_masks.size(); ++group) {
    fill_mask(placed, group, graph.shape.n_kv);
    set(graph.attention_masks[group], mask_values.data());
  }
}

/// A row a token: 0 at the cells it looks at, -infinity at all others.
void Decoder::Impl::fill_mask(std::span<const PlacedToken> placed, std::size_t group, int n_kv) {
  static const ggml_fp16_t HIDDEN = ggml_fp32_to_fp16(-std::numeric_limits<float>::infinity());
  static const ggml_fp16_t SEEN = ggml_fp32_to_fp16(0.0F);
  const std::set<KvCells::MaskId>& lacking = groups[group].lacking;
  const int window = groups[group].windowed ? model->config().window : 0;
  mask_values.assign(placed.size() * static_cast<std::size_t>(n_kv), HIDDEN);
  for (std::size_t row = 0; row < placed.size(); ++row) {
    const PlacedToken& token = placed[row];
    const auto sequence = cells.sequence(token.sequence);
    ggml_fp16_t* values = mask_values.data() + row * static_cast<std::size_t>(n_kv);
    const int first = window > 0 ? std::max(0, token.position - window + 1) : 0;
    for (int position = first; position <= token.position; ++position) {
      const std::int32_t cell = sequence[static_cast<std::size_t>(position)];
      if (lacking.empty() || !lacking.contains(cells.cell(cell).mask)) values[cell] = SEEN;
    }
  }
}

Decoder::Decoder(std::shared_ptr<const Model> model, const DecoderOptions& options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

const Model& Decoder::model() const {
  return *impl_->model;
}
const DecoderOptions& Decoder::options() const {
  return impl_->options;
}

ForwardResult Decoder::forward(std::span<const BatchToken> batch, const SublayerMask& mask,
                               std::span<const Tap> taps, HeadUse head) {
  return impl_->forward(batch, mask, taps, head);
}

ForwardResult Decoder::forward(SequenceId sequence, std::span<const Token> tokens,
                               const SublayerMask& mask) {
  std::vector<BatchToken> batch;
  batch.reserve(tokens.size());
  for (const Token token : tokens)
    batch.push_back({token, sequence, false});
  if (!batch.empty()) batch.back().want_logits = true;
  return impl_->forward(batch, mask, {}, HeadUse::full);
}

void Decoder::set_head_preview(std::shared_ptr<const HeadPreview> preview) {
  impl_->compute.forget();
  impl_->head_rows = preview ? std::make_unique<HeadRows>(model()) : nullptr;
  impl_->preview = std::move(preview);
}
const HeadPreview* Decoder::head_preview() const {
  return impl_->preview.get();
}
Decoder::HeadStatistics Decoder::head_statistics() const {
  return impl_->head_statistics;
}

void Decoder::fork(SequenceId from, SequenceId to, std::optional<int> length) {
  if (impl_->cells.exists(to))
    throw UserError("fork", fmt::format("sequence {} exists already", to), "remove it first");
  const int held = this->length(from);
  if (length.value_or(held) < 0 || length.value_or(held) > held) {
    throw UserError("fork", fmt::format("sequence {} has {} tokens, not {}", from, held, *length));
  }
  if (length.value_or(held) > 0) impl_->cells.fork(from, to, length.value_or(held));
}

void Decoder::truncate(SequenceId sequence, int length) {
  impl_->cells.truncate(sequence, std::max(0, length));
}
void Decoder::remove(SequenceId sequence) {
  impl_->cells.remove(sequence);
}
void Decoder::clear() {
  impl_->cells.clear();
}
int Decoder::length(SequenceId sequence) const {
  return static_cast<int>(impl_->cells.sequence(sequence).size());
}
int Decoder::free_cells() const {
  return impl_->cells.free_count();
}
SequenceId Decoder::unused_sequence(SequenceId from) const {
  return impl_->cells.unused_sequence(from);
}
std::vector<SequenceId> Decoder::sequences() const {
  return impl_->cells.sequences();
}

HeldPrefix Decoder::held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                                KvReuse reuse) const {
  return impl_->cells.held_prefix(tokens, mask, reuse);
}

Decoder::GraphStatistics Decoder::graph_statistics() const {
  return impl_->compute.statistics();
}
std::size_t Decoder::kv_bytes() const {
  return impl_->storage.bytes();
}
void Decoder::set_interrupt(std::function<bool()> interrupt) {
  impl_->compute.set_interrupt(std::move(interrupt));
}

}  // namespace litestage
