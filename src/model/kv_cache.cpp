#include "model/kv_cache.h"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>
#include <unistd.h>

#include "litestage/error.h"
#include "model/backend.h"
#include "model/model_config.h"
#include "model/model_weights.h"

namespace litestage {

bool kv_is_usable(const SublayerMask& computed, const SublayerMask& wanted, KvReuse reuse) {
  if (reuse == KvReuse::exact) return computed == wanted;
  return (computed.skipped_attention() & ~wanted.skipped_attention()).none();
}

KvCells::MaskId KvCells::intern(const SublayerMask& mask) {
  const auto found = std::find(masks_.begin(), masks_.end(), mask);
  if (found != masks_.end()) return static_cast<MaskId>(found - masks_.begin());
  const auto unused = std::find(cells_of_mask_.begin(), cells_of_mask_.end(), 0);
  const auto id = static_cast<std::size_t>(unused - cells_of_mask_.begin());
  if (unused == cells_of_mask_.end()) {
    cells_of_mask_.push_back(0);
    masks_.emplace_back();
  }
  masks_[id] = mask;
  return static_cast<MaskId>(id);
}

int KvCells::append(SequenceId sequence, Token token, MaskId mask) {
  assert(free_ > 0);
  int index = lowest_free_;
  while (cell(index).holders != 0)
    ++index;
  cells_[static_cast<std::size_t>(index)] = {token, mask, 1};
  lowest_free_ = index + 1;
  --free_;
  ++cells_of_mask_[static_cast<std::size_t>(mask)];
  sequences_[sequence].push_back(index);
  return index;
}

void KvCells::fork(SequenceId from, SequenceId to, int length) {
  assert(sequence(to).empty());
  const auto cells = sequence(from).first(static_cast<std::size_t>(length));
  std::vector<std::int32_t> copy(cells.begin(), cells.end());
  hold(copy);
  sequences_[to] = std::move(copy);
}

void KvCells::share(SequenceId to, int cell) {
  ++cells_[static_cast<std::size_t>(cell)].holders;
  sequences_[to].push_back(cell);
}

void KvCells::truncate(SequenceId sequence, int length) {
  const auto found = sequences_.find(sequence);
  if (found == sequences_.end()) return;
  std::vector<std::int32_t>& cells = found->second;
  while (static_cast<int>(cells.size()) > length) {
    drop(cells.back());
    cells.pop_back();
  }
  if (cells.empty()) sequences_.erase(found);
}

void KvCells::remove(SequenceId sequence) {
  truncate(sequence, 0);
}

void KvCells::clear() {
  *this = KvCells(capacity());
}

void KvCells::hold(std::span<const std::int32_t> cells) {
  for (const std::int32_t index : cells)
    ++cells_[static_cast<std::size_t>(index)].holders;
}

void KvCells::release(std::span<const std::int32_t> cells) {
  for (const std::int32_t index : cells)
    drop(index);
}

void KvCells::drop(int index) {
  Cell& cell = cells_[static_cast<std::size_t>(index)];
  assert(cell.holders > 0);
  if (--cell.holders > 0) return;
  ++free_;
  --cells_of_mask_[static_cast<std::size_t>(cell.mask)];
  lowest_free_ = std::min(lowest_free_, index);
}

std::span<const std::int32_t> KvCells::sequence(SequenceId sequence) const {
  const auto found = sequences_.find(sequence);
  return found == sequences_.end() ? std::span<const std::int32_t>{} : found->second;
}

SequenceId KvCells::unused_sequence(SequenceId from) const {
  SequenceId id = from;
  while (sequences_.contains(id))
    ++id;
  return id;
}

std::vector<SequenceId> KvCells::sequences() const {
  std::vector<SequenceId> ids;
  for (const auto& [id, cells] : sequences_)
    ids.push_back(id);
  return ids;
}

std::vector<bool> KvCells::usable(const SublayerMask& mask, KvReuse reuse) const {
  std::vector<bool> usable(masks_.size());
  for (std::size_t id = 0; id < masks_.size(); ++id)
    usable[id] = kv_is_usable(masks_[id], mask, reuse);
  return usable;
}

int KvCells::held_length(SequenceId sequence, std::span<const Token> tokens,
                         const std::vector<bool>& usable) const {
  const std::span<const std::int32_t> held = this->sequence(sequence);
  std::size_t length = 0;
  const std::size_t limit = std::min(tokens.size(), held.size());
  while (length < limit && cell(held[length]).token == tokens[length] &&
         usable[static_cast<std::size_t>(cell(held[length]).mask)])
    ++length;
  return static_cast<int>(length);
}

HeldPrefix KvCells::held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                                KvReuse reuse) const {
  const std::vector<bool> usable = this->usable(mask, reuse);
  HeldPrefix best;
  for (const auto& [sequence, cells] : sequences_) {
    const int length = held_length(sequence, tokens, usable);
    if (length > best.length) best = {sequence, length};
  }
  return best;
}

int KvCells::used_end() const {
  int end = capacity();
  while (end > 0 && cell(end - 1).holders == 0)
    --end;
  return end;
}

ggml_type storage_type(KvType type) {
  switch (type) {
    case KvType::f16:
      return GGML_TYPE_F16;
    case KvType::q8_0:
      return GGML_TYPE_Q8_0;
    case KvType::f32:
      return GGML_TYPE_F32;
  }
  return GGML_TYPE_F16;
}

namespace {

/// Memory the machine can still give, bytes.
std::size_t available_memory() {
  const long pages = sysconf(_SC_AVPHYS_PAGES);
  const long total = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  // Pages that hold file contents can be given back, so free pages alone say too little: allow for
  // them.
  return pages < 0 || total < 0 ? SIZE_MAX
                                : static_cast<std::size_t>(std::max(pages, total / 10 * 9)) *
                                      static_cast<std::size_t>(page);
}

}  // namespace

KvStorage::KvStorage(const Model& model, int cells, KvType type, FlashAttention flash_attention) {
  const ModelConfig& config = model.config();
  const ModelWeights& weights = model.weights();
  const ggml_type element = storage_type(type);
  if (config.head_dim % ggml_blck_size(element) != 0) {
    throw UserError("-ctk",
                    fmt::format("heads of {} values cannot be stored as {}", config.head_dim,
                                ggml_type_name(element)),
                    "use f16");
  }
  const int split = weights.first_device_layer;
  // A token's values across are so many bytes apart: not at a power of two, or they would all fall
  // into the same few lines of a processor's cache.
  constexpr int ODD_LINE = 32;
  // How many of the first layers attend without flash attention, at least now and then.
  const int plain = ggml_is_quantized(element) || flash_attention == FlashAttention::on ? 0
                    : flash_attention == FlashAttention::off ? config.n_layers
                                                             : split;
  const std::size_t wanted = ggml_row_size(element, config.n_embd_kv()) *
                             static_cast<std::size_t>(cells) *
                             static_cast<std::size_t>(2 * config.n_layers + plain);
  const auto no_memory = [&] {
    return UserError(
        "-c",
        fmt::format(
            "a context of {} tokens needs {:.1f} GiB for keys and values, more than there is",
            cells, static_cast<double>(wanted) / (1 << 30)),
        "use a smaller one");
  };
  if (wanted > available_memory()) throw no_memory();

  keys_.resize(static_cast<std::size_t>(config.n_layers));
  values_.resize(static_cast<std::size_t>(config.n_layers));
  values_across_.resize(static_cast<std::size_t>(config.n_layers));
  for (const auto& [first, last] : {std::pair{0, split}, std::pair{split, config.n_layers}}) {
    if (first == last) continue;
    const auto count = static_cast<std::size_t>(last - first);
    contexts_.emplace_back(ggml_init(
        {.mem_size = 3 * count * ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true}));
    for (int layer = first; layer < last; ++layer) {
      keys_[static_cast<std::size_t>(layer)] =
          ggml_new_tensor_2d(contexts_.back().get(), element, config.n_embd_kv(), cells);
      values_[static_cast<std::size_t>(layer)] =
          ggml_new_tensor_2d(contexts_.back().get(), element, config.n_embd_kv(), cells);
      if (layer < plain) {
        values_across_[static_cast<std::size_t>(layer)] = ggml_new_tensor_2d(
            contexts_.back().get(), element, cells + ODD_LINE, config.n_embd_kv());
      }
    }
    ggml_backend_dev_t device = first == split ? weights.device : cpu_device();
    buffers_.emplace_back(ggml_backend_alloc_ctx_tensors_from_buft(
        contexts_.back().get(), ggml_backend_dev_buffer_type(device)));
    if (!buffers_.back()) throw no_memory();
    // Cells that nobody wrote are masked, but a NaN among them would still spread.
    ggml_backend_buffer_clear(buffers_.back().get(), 0);
  }
}

std::size_t KvStorage::bytes() const {
  std::size_t sum = 0;
  for (const ggml_backend_buffer_ptr& buffer : buffers_)
    sum += ggml_backend_buffer_get_size(buffer.get());
  return sum;
}

}  // namespace litestage
