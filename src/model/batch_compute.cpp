#include "model/batch_compute.h"

#include <algorithm>
#include <limits>
#include <map>

#include "model/model_config.h"
#include "model/model_weights.h"

namespace litestage {
namespace {

constexpr int KV_STEP =
    256;  // cells looked at grow in such steps, so that a decode loop rarely rebuilds

/// Sets a graph's input. Leaving sublayers out may leave inputs without a use; then they have no
/// memory.
template <typename T>
void set_input(ggml_tensor* tensor, const std::vector<T>& values) {
  if (tensor != nullptr && tensor->buffer != nullptr)
    ggml_backend_tensor_set(tensor, values.data(), 0, ggml_nbytes(tensor));
}

}  // namespace

BatchCompute::BatchCompute(const Model& model, const DecoderOptions& options, const KvCells& cells)
    : model_(model),
      options_(options),
      cells_(cells),
      storage_(model, options.context, options.kv_type, options.flash_attention),
      compute_(model, options.threads) {}

GraphContext BatchCompute::context() const {
  return {model_.config(), model_.weights(), storage_, options_.context, options_.flash_attention};
}

/// Where each value of each cell stands in V across.
const std::vector<std::int64_t>& BatchCompute::places_of(std::span<const std::int64_t> cells) {
  const auto width = static_cast<std::size_t>(model_.config().n_embd_kv());
  const std::int64_t stride = storage_.values_across(0)->ne[0];
  places_.resize(cells.size() * width);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    for (std::size_t value = 0; value < width; ++value)
      places_[i * width + value] = static_cast<std::int64_t>(value) * stride + cells[i];
  }
  return places_;
}

bool BatchCompute::move(std::span<const CellMove> moves) {
  const CellMoveGraph graph = build_cell_move_graph(context(), static_cast<int>(moves.size()));
  const bool done = compute_.run_once(graph.graph, [&] {
    std::vector<std::int32_t> from;
    std::vector<std::int32_t> by;
    cell_indices_.clear();
    for (const CellMove& move : moves) {
      from.push_back(move.from);
      by.push_back(move.by);
      cell_indices_.push_back(move.to);
    }
    set_input(graph.from, from);
    set_input(graph.by, by);
    set_input(graph.to, cell_indices_);
    if (graph.places != nullptr) set_input(graph.places, places_of(cell_indices_));
  });
  graph_ = nullptr;
  return done;
}

void BatchCompute::prepare(std::span<const PlacedToken> placed, const SublayerMask& mask,
                           std::span<const Tap> taps,
                           const std::shared_ptr<const HeadPreview>& preview) {
  set_shape(placed, mask, taps);
  choose_head(placed, preview.get());
  graph_ = &compute_.prepare(context(), shape_);
  preview_ = shape_.preview != nullptr ? preview : nullptr;
  set_inputs(placed);
}

/// Decides what the graph ends with: the head or its preview where all logits of a token are
/// wanted; the states where those of some tokens alone are, as rows of a head on the CPU can be
/// read one by one.
void BatchCompute::choose_head(std::span<const PlacedToken> placed, const HeadPreview* preview) {
  wanted_.clear();
  for (const PlacedToken& token : placed) {
    if (token.want_logits) wanted_.push_back(token.only);
  }
  shape_.n_outputs = static_cast<int>(wanted_.size());
  const auto whole = static_cast<std::size_t>(
      std::ranges::count_if(wanted_, [](const auto& only) { return only.empty(); }));
  const bool rows_can_be_read = model_.weights().head_rows != nullptr;
  shape_.has_head = whole > 0 || !rows_can_be_read;
  shape_.preview = preview != nullptr && whole > 0 ? &preview->tensors() : nullptr;
  shape_.gives_states = shape_.preview != nullptr || (rows_can_be_read && whole < wanted_.size());
}

std::span<const float> BatchCompute::take_logits() {
  whole_rows_.clear();
  const std::span<float> rows = computed_logits();
  read_states();
  if (preview_ != nullptr) correct_logits(rows);
  const bool all_whole =
      std::ranges::all_of(wanted_, [](const auto& only) { return only.empty(); });
  return all_whole ? rows : wanted_of(rows);
}

const float* BatchCompute::logits_of_graph() const {
  const ggml_tensor* logits = graph_->logits;
  const bool is_here = logits != nullptr && ggml_backend_buffer_is_host(logits->buffer);
  return is_here ? static_cast<const float*>(logits->data) : nullptr;
}

/// What the graph gave: [rows][n_vocab], or nothing. Needs no copy on the CPU.
std::span<float> BatchCompute::computed_logits() {
  if (graph_->logits == nullptr) return {};
  const auto count = static_cast<std::size_t>(ggml_nelements(graph_->logits));
  if (ggml_backend_buffer_is_host(graph_->logits->buffer))
    return {static_cast<float*>(graph_->logits->data), count};
  device_logits_.resize(count);
  ggml_backend_tensor_get(graph_->logits, device_logits_.data(), 0, count * sizeof(float));
  return device_logits_;
}

void BatchCompute::read_states() {
  states_.clear();
  if (graph_->states == nullptr) return;
  states_.resize(static_cast<std::size_t>(ggml_nelements(graph_->states)));
  ggml_backend_tensor_get(graph_->states, states_.data(), 0, states_.size() * sizeof(float));
}

std::span<const float> BatchCompute::state(std::size_t row) const {
  const auto n_embd = static_cast<std::size_t>(model_.embedding_size());
  return std::span(states_).subspan(row * n_embd, n_embd);
}

HeadRows& BatchCompute::head_rows() {
  if (!head_rows_) head_rows_ = std::make_unique<HeadRows>(model_);
  return *head_rows_;
}

/// Pass two of the head: puts exact logits in the place of the preview's where these are high, and
/// everywhere when the best one does not stand out.
void BatchCompute::correct_logits(std::span<float> rows) {
  const auto n_vocab = static_cast<std::size_t>(model_.vocabulary_size());
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    if (!wanted_[i].empty()) continue;
    const std::span<float> row = rows.subspan(i * n_vocab, n_vocab);
    proposals_.find(row, preview_->info().proposals);
    head_rows().compute(state(i), proposals_.indices(), row);
    float best = -std::numeric_limits<float>::infinity();
    for (const int index : proposals_.indices())
      best = std::max(best, row[static_cast<std::size_t>(index)]);
    const bool whole = best < proposals_.threshold() + preview_->info().margin;
    whole_rows_.push_back(whole);
    if (whole) head_rows().compute_all(state(i), row, options_.threads);
  }
}

/// Rows as they are wanted, some tokens' logits alone among them. @param rows of all logits, if any
std::span<const float> BatchCompute::wanted_of(std::span<const float> rows) {
  const auto n_vocab = static_cast<std::size_t>(model_.vocabulary_size());
  wanted_logits_.clear();
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    const std::span<const Token> only = wanted_[i];
    const std::size_t end = wanted_logits_.size();
    if (only.empty()) {
      const auto row = rows.subspan(i * n_vocab, n_vocab);
      wanted_logits_.insert(wanted_logits_.end(), row.begin(), row.end());
    } else if (!states_.empty()) {
      wanted_logits_.resize(end + only.size());
      head_rows().compute_packed(state(i), only, std::span(wanted_logits_).subspan(end));
    } else {
      for (const Token token : only)
        wanted_logits_.push_back(rows[i * n_vocab + static_cast<std::size_t>(token)]);
    }
  }
  return wanted_logits_;
}

void BatchCompute::read_tap(std::size_t index, std::vector<float>& values) const {
  const ggml_tensor* tensor = graph_->taps[index];
  const auto count = static_cast<std::size_t>(ggml_nelements(tensor));
  const std::size_t old = values.size();
  values.resize(old + count);
  ggml_backend_tensor_get(tensor, values.data() + old, 0, count * sizeof(float));
}

void BatchCompute::set_shape(std::span<const PlacedToken> placed, const SublayerMask& mask,
                             std::span<const Tap> taps) {
  shape_.mask = mask;
  shape_.n_tokens = static_cast<int>(placed.size());
  choose_cells(placed);
  shape_.taps.assign(taps.begin(), taps.end());
  group_layers(mask);
}

/// Layers that see the same cells share an attention mask.
void BatchCompute::group_layers(const SublayerMask& mask) {
  groups_.clear();
  shape_.mask_of_layer.assign(static_cast<std::size_t>(model_.layer_count()), 0);
  for (int layer = 0; layer < model_.layer_count(); ++layer) {
    if (mask.skips(Sublayer::attention, layer)) continue;
    const auto found = std::find_if(groups_.begin(), groups_.end(),
                                    [&](int other) { return see_the_same(layer, other); });
    shape_.mask_of_layer[static_cast<std::size_t>(layer)] =
        static_cast<int>(found - groups_.begin());
    if (found == groups_.end()) groups_.push_back(layer);
  }
  shape_.n_masks = static_cast<int>(groups_.size());
}

/// Whether two layers are windowed alike and lack the same cells.
bool BatchCompute::see_the_same(int layer, int other) const {
  const std::vector<bool>& is_windowed = model_.config().is_windowed;
  if (is_windowed[static_cast<std::size_t>(layer)] != is_windowed[static_cast<std::size_t>(other)])
    return false;
  if (options_.missing_kv != MissingKv::tolerate) return true;
  for (KvCells::MaskId id = 0; id < cells_.mask_count(); ++id) {
    if (lacks(layer, id) != lacks(other, id)) return false;
  }
  return true;
}

/// Whether a layer passes over cells that were computed under a mask, as they have no K and V of
/// it.
bool BatchCompute::lacks(int layer, KvCells::MaskId mask) const {
  return options_.missing_kv == MissingKv::tolerate &&
         cells_.mask(mask).skips(Sublayer::attention, layer);
}

/// Looking at all cells in use reads each once for all tokens. Where most of them are of no
/// concern, a copy of those that are pays (docs/performance.md): of each token's own ones for plain
/// attention, of the batch's for flash attention.
void BatchCompute::choose_cells(std::span<const PlacedToken> placed) {
  constexpr int COPY_STEP = 64;
  constexpr double PAYS_FROM = 1.5;  // times as many cells in use as are looked at
  const auto padded = [&](int cells, int step) {
    return std::min(cells_.capacity(), (cells + step - 1) / step * step);
  };
  const int in_use = cells_.used_end();
  shape_.access = CellAccess::in_place;
  shape_.n_kv = padded(in_use, KV_STEP);
  // Where plain attention is never chosen (devices, quantised caches), nothing is copied either.
  if (options_.flash_attention != FlashAttention::automatic ||
      storage_.values_across(model_.layer_count() - 1) == nullptr)
    return;
  const bool flash = placed.size() >= FLASH_TILE;
  int looked_at = 0;
  if (flash) {
    looked_at = collect_cells(placed);
  } else {
    for (const PlacedToken& token : placed)
      looked_at = std::max(looked_at, token.position + 1);
  }
  const int copied = padded(looked_at, flash ? KV_STEP : COPY_STEP);
  if (in_use < PAYS_FROM * looked_at || shape_.n_kv < PAYS_FROM * copied) return;
  shape_.access = flash ? CellAccess::copy_of_batch : CellAccess::copies;
  shape_.n_kv = copied;
}

/// Puts down the cells that a batch looks at, each once, and where each stands among them.
int BatchCompute::collect_cells(std::span<const PlacedToken> placed) {
  constexpr std::int32_t NOWHERE = -1;
  cells_of_batch_.clear();
  place_in_batch_.assign(static_cast<std::size_t>(cells_.capacity()), NOWHERE);
  std::map<SequenceId, std::int32_t> last;  // positions
  for (const PlacedToken& token : placed) {
    const auto [found, is_new] = last.try_emplace(token.sequence, token.position);
    found->second = std::max(found->second, token.position);
  }
  for (const auto& [sequence, position] : last) {
    for (const std::int32_t cell :
         cells_.sequence(sequence).first(static_cast<std::size_t>(position) + 1)) {
      std::int32_t& place = place_in_batch_[static_cast<std::size_t>(cell)];
      if (place != NOWHERE) continue;
      place = static_cast<std::int32_t>(cells_of_batch_.size());
      cells_of_batch_.push_back(cell);
    }
  }
  return static_cast<int>(cells_of_batch_.size());
}

void BatchCompute::set_inputs(std::span<const PlacedToken> placed) {
  const auto set_integers = [&](ggml_tensor* tensor, auto&& value_of) {
    integers_.clear();
    for (const PlacedToken& token : placed)
      integers_.push_back(value_of(token));
    set_input(tensor, integers_);
  };
  set_integers(graph_->tokens, [](const PlacedToken& t) { return t.token; });
  set_integers(graph_->positions, [](const PlacedToken& t) { return t.position; });
  cell_indices_.clear();
  for (const PlacedToken& token : placed)
    cell_indices_.push_back(token.cell);
  set_input(graph_->cells, cell_indices_);
  if (graph_->places != nullptr) set_input(graph_->places, places_of(cell_indices_));
  if (graph_->output_rows != nullptr) {
    integers_.clear();
    for (std::size_t i = 0; i < placed.size(); ++i) {
      if (placed[i].want_logits) integers_.push_back(static_cast<std::int32_t>(i));
    }
    set_input(graph_->output_rows, integers_);
  }
  if (graph_->gathered != nullptr) set_gathered(placed);
  for (std::size_t group = 0; group < graph_->attention_masks.size(); ++group) {
    fill_mask(placed, groups_[group]);
    set_input(graph_->attention_masks[group], mask_values_);
  }
}

void BatchCompute::set_gathered(std::span<const PlacedToken> placed) {
  const auto n_kv = static_cast<std::size_t>(graph_->shape.n_kv);
  if (graph_->shape.access == CellAccess::copy_of_batch) {
    integers_.assign(n_kv, 0);
    std::ranges::copy(cells_of_batch_, integers_.begin());
  } else {
    integers_.assign(placed.size() * n_kv, 0);
    for (std::size_t i = 0; i < placed.size(); ++i) {
      const auto cells = cells_.sequence(placed[i].sequence)
                             .first(static_cast<std::size_t>(placed[i].position) + 1);
      std::ranges::copy(cells, integers_.begin() + static_cast<std::ptrdiff_t>(i * n_kv));
    }
  }
  set_input(graph_->gathered, integers_);
}

/// Where a token at some position, whose cell that is, stands in an attention mask's row.
std::size_t BatchCompute::column_of(std::int32_t cell, int position) const {
  switch (graph_->shape.access) {
    case CellAccess::in_place:
      break;
    case CellAccess::copy_of_batch:
      return static_cast<std::size_t>(place_in_batch_[static_cast<std::size_t>(cell)]);
    case CellAccess::copies:
      return static_cast<std::size_t>(position);
  }
  return static_cast<std::size_t>(cell);
}

/// What a layer sees, a row a token: 0 at the cells it looks at, -infinity at all others.
void BatchCompute::fill_mask(std::span<const PlacedToken> placed, int layer) {
  static const ggml_fp16_t HIDDEN = ggml_fp32_to_fp16(-std::numeric_limits<float>::infinity());
  static const ggml_fp16_t SEEN = ggml_fp32_to_fp16(0.0F);
  const bool windowed = model_.config().is_windowed[static_cast<std::size_t>(layer)];
  const int window = windowed ? model_.config().window : 0;
  const auto n_kv = static_cast<std::size_t>(graph_->shape.n_kv);
  mask_values_.assign(placed.size() * n_kv, HIDDEN);
  for (std::size_t row = 0; row < placed.size(); ++row) {
    const PlacedToken& token = placed[row];
    const auto sequence = cells_.sequence(token.sequence);
    ggml_fp16_t* values = mask_values_.data() + row * n_kv;
    const int first = window > 0 ? std::max(0, token.position - window + 1) : 0;
    for (int position = first; position <= token.position; ++position) {
      const std::int32_t cell = sequence[static_cast<std::size_t>(position)];
      if (lacks(layer, cells_.cell(cell).mask)) continue;
      values[column_of(cell, position)] = SEEN;
    }
  }
}

}  // namespace litestage
