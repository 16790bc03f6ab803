#include "model/local_decoder.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "litestage/error.h"

namespace litestage {
namespace {

constexpr int DEFAULT_CONTEXT = 4096;

}  // namespace

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

namespace {

ForwardResult interrupted() {
  ForwardResult result;
  result.interrupted = true;
  return result;
}

}  // namespace

LocalDecoder::LocalDecoder(std::shared_ptr<const Model> model, const DecoderOptions& options)
    : model_(std::move(model)),
      options_(complete(options, *model_)),
      cells_(options_.context),
      compute_(*model_, options_, cells_) {}

void LocalDecoder::check(std::span<const BatchToken> batch, const SublayerMask& mask,
                         std::span<const Tap> taps, std::span<const Token> only) const {
  const auto check_token = [&](Token token) {
    if (token < 0 || token >= model_->vocabulary_size()) {
      throw UserError("batch", fmt::format("token {} is outside the vocabulary of {}", token,
                                           model_->vocabulary_size()));
    }
  };
  for (const BatchToken& token : batch)
    check_token(token.token);
  for (const Token token : only)
    check_token(token);
  if (mask.last_layer() >= model_->layer_count()) {
    throw UserError("mask", fmt::format("there is no layer {}", mask.last_layer()),
                    fmt::format("this model's layers are 0 to {}", model_->layer_count() - 1));
  }
  for (const Tap& tap : taps) {
    if (tap.point != TapPoint::final_norm &&
        (tap.layer < 0 || tap.layer >= model_->layer_count())) {
      throw UserError("tap", fmt::format("there is no layer {}", tap.layer));
    }
  }
}

/// Position of the first cell that lacks a layer the mask keeps, or the sequence's length.
int LocalDecoder::first_lacking(SequenceId sequence, const SublayerMask& mask) const {
  const auto held = cells_.sequence(sequence);
  constexpr KvCells::MaskId NONE = -1;
  KvCells::MaskId usable = NONE;  // that of the cell before: they change seldom
  const auto found = std::find_if(held.begin(), held.end(), [&](std::int32_t cell) {
    const KvCells::MaskId written = cells_.cell(cell).mask;
    if (written == usable) return false;
    usable = written;
    return !kv_is_usable(cells_.mask(written), mask, KvReuse::whole);
  });
  return static_cast<int>(found - held.begin());
}

void LocalDecoder::refuse_missing(std::span<const SequenceId> sequences,
                                  const SublayerMask& mask) const {
  if (options_.missing_kv != MissingKv::refuse) return;
  for (const SequenceId sequence : sequences) {
    const int position = first_lacking(sequence, mask);
    const auto held = cells_.sequence(sequence);
    if (position == static_cast<int>(held.size())) continue;
    const SublayerMask& written =
        cells_.mask(cells_.cell(held[static_cast<std::size_t>(position)]).mask);
    throw UserError(
        "KV cache",
        fmt::format("position {} was computed without attention sublayers that are needed now ({})",
                    position, written.to_string()),
        "remove the sequence, or let the decoder backfill or tolerate it");
  }
}

void LocalDecoder::refuse_room(std::size_t tokens, int free) const {
  throw UserError(
      "context",
      fmt::format("{} tokens do not fit: {} of {} cells are free", tokens, free, cells_.capacity()),
      "use a larger -c or shorter texts");
}

/// Distinct cells from each sequence's first lacking one on.
std::size_t LocalDecoder::cells_to_backfill(std::span<const SequenceId> sequences,
                                            const SublayerMask& mask) const {
  if (options_.missing_kv != MissingKv::backfill) return 0;
  std::set<std::int32_t> distinct;
  for (const SequenceId sequence : sequences) {
    const auto all = cells_.sequence(sequence);
    distinct.insert(all.begin() + first_lacking(sequence, mask), all.end());
  }
  return distinct.size();
}

/// Recomputes every sequence from its first lacking cell on. Old cells stay held until all went
/// well, so that an interruption can restore everything. Cells that sequences share stay shared.
bool LocalDecoder::backfill(std::span<const SequenceId> sequences, const SublayerMask& mask,
                            int& count) {
  const KvCells before = cells_;
  const KvCells::MaskId mask_id = cells_.intern(mask);
  std::map<std::int32_t, std::int32_t> replacement;  // old cell to new one
  std::vector<std::int32_t> held;
  std::vector<PlacedToken> placed;
  for (const SequenceId sequence : sequences) {
    const auto all = cells_.sequence(sequence);
    const int first = first_lacking(sequence, mask);
    const std::vector<std::int32_t> old(all.begin() + first, all.end());
    cells_.hold(old);
    held.insert(held.end(), old.begin(), old.end());
    cells_.truncate(sequence, first);
    for (std::size_t i = 0; i < old.size(); ++i) {
      const auto shared = replacement.find(old[i]);
      if (shared != replacement.end()) {
        cells_.share(sequence, shared->second);
        continue;
      }
      const Token token = cells_.cell(old[i]).token;
      const int cell = cells_.append(sequence, token, mask_id);
      replacement.emplace(old[i], cell);
      placed.push_back({token, sequence, first + static_cast<std::int32_t>(i), cell, false});
    }
  }
  ForwardResult unused;
  bool done = false;
  try {
    done = placed.empty() || compute_all(placed, mask, {}, nullptr, unused);
  } catch (const UserError&) {
    cells_ = before;
    throw;
  }
  if (!done) {
    cells_ = before;
    return false;
  }
  cells_.release(held);
  count = static_cast<int>(placed.size());
  return true;
}

void LocalDecoder::place(std::span<const BatchToken> batch, const SublayerMask& mask,
                         std::span<const Token> only, std::vector<PlacedToken>& placed) {
  const KvCells::MaskId mask_id = cells_.intern(mask);
  for (const BatchToken& token : batch) {
    const auto position = static_cast<std::int32_t>(cells_.sequence(token.sequence).size());
    const int cell = cells_.append(token.sequence, token.token, mask_id);
    placed.push_back({token.token, token.sequence, position, cell, token.want_logits, only});
  }
}

/// Sees to it that there is room for so many tokens, and that all is there that they attend to.
/// @return false when it was interrupted
bool LocalDecoder::make_ready(std::span<const SequenceId> sequences, std::size_t tokens,
                              const SublayerMask& mask, int& backfilled) {
  const std::size_t anew = cells_to_backfill(sequences, mask);
  const std::size_t needed = tokens + anew;
  if (needed > static_cast<std::size_t>(free_cells())) refuse_room(needed, free_cells());
  refuse_missing(sequences, mask);
  return anew == 0 || backfill(sequences, mask, backfilled);
}

ForwardResult LocalDecoder::forward(std::span<const BatchToken> batch, const SublayerMask& mask,
                                    std::span<const Tap> taps, HeadUse head,
                                    std::span<const Token> only) {
  check(batch, mask, taps, only);
  ForwardResult result;
  if (batch.empty()) return result;
  list_sequences(batch, sequences_);
  if (!make_ready(sequences_, batch.size(), mask, result.backfilled)) return interrupted();

  before_.clear();
  for (const SequenceId sequence : sequences_)
    before_.push_back({sequence, length(sequence)});
  placed_.clear();
  place(batch, mask, only, placed_);
  return compute_or_undo(placed_, mask, taps, head, before_, std::move(result));
}

ForwardResult LocalDecoder::forward_keeping(SequenceId sequence, std::span<const Token> tokens,
                                            std::span<const KeptText> kept,
                                            const SublayerMask& mask, HeadUse head,
                                            std::span<const Token> only) {
  const std::vector<BatchToken> batch = as_batch(sequence, tokens);
  check(batch, mask, {}, only);
  ForwardResult result;
  if (batch.empty()) return result;
  if (!make_ready(std::span(&sequence, 1), batch.size(), mask, result.backfilled))
    return interrupted();

  const int start = length(sequence);
  std::vector<PlacedToken> placed;
  std::vector<CellMove> moves;
  auto text = kept.begin();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const int index = static_cast<int>(i);
    while (text != kept.end() && index >= text->at + text->count)
      ++text;
    if (text != kept.end() && index >= text->at && i + 1 < batch.size()) {
      const int position = text->first + index - text->at;
      const std::int32_t from = cells_.sequence(text->from)[static_cast<std::size_t>(position)];
      const KvCells::Cell& cell = cells_.cell(from);
      if (cell.token == tokens[i] && kv_is_usable(cells_.mask(cell.mask), mask, KvReuse::whole)) {
        const int to = cells_.append(sequence, cell.token, cell.mask);
        moves.push_back({from, to, start + index - position});
        continue;
      }
    }
    place(std::span(batch).subspan(i, 1), mask, only, placed);
  }
  result.taken_over = static_cast<int>(moves.size());
  const HeldPrefix before{sequence, start};
  try {
    if (!moves.empty() && !compute_.move(moves)) {
      cells_.truncate(sequence, start);
      return interrupted();
    }
  } catch (const UserError&) {
    cells_.truncate(sequence, start);
    throw;
  }
  return compute_or_undo(placed, mask, {}, head, std::span(&before, 1), std::move(result));
}

ForwardResult LocalDecoder::compute_or_undo(std::span<const PlacedToken> placed,
                                            const SublayerMask& mask, std::span<const Tap> taps,
                                            HeadUse head, std::span<const HeldPrefix> before,
                                            ForwardResult result) {
  const auto undo = [&] {
    for (const HeldPrefix& held : before)
      cells_.truncate(held.sequence, held.length);
  };
  try {
    if (compute_all(placed, mask, taps, head == HeadUse::preview ? preview_ : nullptr, result))
      return result;
  } catch (const UserError&) {
    undo();
    throw;
  }
  undo();
  return interrupted();
}

bool LocalDecoder::compute_all(std::span<const PlacedToken> placed, const SublayerMask& mask,
                               std::span<const Tap> taps,
                               const std::shared_ptr<const HeadPreview>& preview,
                               ForwardResult& result) {
  const auto ubatch = static_cast<std::size_t>(options_.ubatch);
  logits_.clear();
  tap_values_.assign(taps.size(), {});
  for (std::size_t begin = 0; begin < placed.size(); begin += ubatch) {
    const auto part = placed.subspan(begin, std::min(ubatch, placed.size() - begin));
    compute_.prepare(part, mask, taps, preview);
    if (!compute_.run()) return false;
    collect(placed.size() <= ubatch, result);
  }
  for (const std::vector<float>& values : tap_values_)
    result.taps.emplace_back(values);
  return true;
}

/// Reads logits and taps of one ubatch. Those of a single one need no copy.
void LocalDecoder::collect(bool alone, ForwardResult& result) {
  const std::span<const float> rows = compute_.take_logits();
  result.rows += compute_.rows();
  if (alone) {
    result.logits = rows;
  } else {
    logits_.insert(logits_.end(), rows.begin(), rows.end());
    result.logits = logits_;
  }
  const std::vector<bool>& whole = compute_.whole_rows();
  head_statistics_.previewed += static_cast<std::int64_t>(whole.size());
  head_statistics_.full += std::count(whole.begin(), whole.end(), true);
  for (std::size_t i = 0; i < tap_values_.size(); ++i)
    compute_.read_tap(i, tap_values_[i]);
}

void LocalDecoder::set_head_preview(std::shared_ptr<const HeadPreview> preview) {
  preview_ = std::move(preview);
}

void LocalDecoder::fork(SequenceId from, SequenceId to, int length) {
  cells_.fork(from, to, length);
}
void LocalDecoder::truncate(SequenceId sequence, int length) {
  cells_.truncate(sequence, length);
}
void LocalDecoder::remove(SequenceId sequence) {
  cells_.remove(sequence);
}
void LocalDecoder::clear() {
  cells_.clear();
}
int LocalDecoder::length(SequenceId sequence) const {
  return static_cast<int>(cells_.sequence(sequence).size());
}
int LocalDecoder::free_cells() const {
  return cells_.free_count();
}
SequenceId LocalDecoder::unused_sequence(SequenceId from) const {
  return cells_.unused_sequence(from);
}
std::vector<SequenceId> LocalDecoder::sequences() const {
  return cells_.sequences();
}
HeldPrefix LocalDecoder::held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                                     KvReuse reuse) {
  return cells_.held_prefix(tokens, mask, reuse);
}
void LocalDecoder::set_interrupt(std::function<bool()> interrupt) {
  compute_.set_interrupt(std::move(interrupt));
}

void list_sequences(std::span<const BatchToken> batch, std::vector<SequenceId>& sequences) {
  sequences.clear();
  for (const BatchToken& token : batch) {
    if (std::find(sequences.begin(), sequences.end(), token.sequence) == sequences.end())
      sequences.push_back(token.sequence);
  }
}

}  // namespace litestage
