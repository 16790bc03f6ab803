#include "model/pool_client.h"

#include <cassert>

namespace litestage {

using Lock = std::lock_guard<std::mutex>;

PoolClient::PoolClient(std::shared_ptr<PoolWorker> worker) : worker_(std::move(worker)) {}

PoolClient::~PoolClient() {
  clear();
}

const Model& PoolClient::model() const {
  return worker_->decoder().model();
}
const DecoderOptions& PoolClient::options() const {
  return worker_->decoder().options();
}
std::size_t PoolClient::kv_bytes() const {
  return worker_->decoder().kv_bytes();
}

ForwardResult PoolClient::forward(std::span<const BatchToken> batch, const SublayerMask& mask,
                                  std::span<const Tap> taps, HeadUse head) {
  const Lock lock(worker_->mutex());
  give_back_borrowed();
  std::vector<BatchToken> mapped(batch.begin(), batch.end());
  for (BatchToken& token : mapped)
    token.sequence = pool_id(token.sequence);
  LocalDecoder& decoder = worker_->decoder();
  decoder.set_head_preview(preview_);
  decoder.set_interrupt(interrupt_);
  ForwardResult result = decoder.forward(mapped, mask, taps, head);
  ++worker_->statistics().calls;
  ++worker_->statistics().batches;
  worker_->statistics().tokens += static_cast<std::int64_t>(batch.size());
  logits_.assign(result.logits.begin(), result.logits.end());
  result.logits = logits_;
  taps_.clear();
  for (std::span<const float>& values : result.taps)
    values = taps_.emplace_back(values.begin(), values.end());
  return result;
}

void PoolClient::set_head_preview(std::shared_ptr<const HeadPreview> preview) {
  preview_ = std::move(preview);
}
void PoolClient::set_interrupt(std::function<bool()> interrupt) {
  interrupt_ = std::move(interrupt);
}

void PoolClient::fork(SequenceId from, SequenceId to, int length) {
  const Lock lock(worker_->mutex());
  worker_->decoder().fork(*known_id(from), pool_id(to), length);
}

void PoolClient::truncate(SequenceId sequence, int length) {
  const Lock lock(worker_->mutex());
  const std::optional<SequenceId> id = known_id(sequence);
  if (!id) return;
  worker_->decoder().truncate(*id, length);
  if (length == 0) forget(sequence);
}

void PoolClient::remove(SequenceId sequence) {
  truncate(sequence, 0);
}

void PoolClient::clear() {
  for (const SequenceId sequence : sequences())
    remove(sequence);
  const Lock lock(worker_->mutex());
  give_back_borrowed();
}

int PoolClient::length(SequenceId sequence) const {
  const Lock lock(worker_->mutex());
  const std::optional<SequenceId> id = known_id(sequence);
  return id ? worker_->decoder().length(*id) : 0;
}

int PoolClient::free_cells() const {
  const Lock lock(worker_->mutex());
  return worker_->decoder().free_cells();
}

SequenceId PoolClient::unused_sequence(SequenceId from) const {
  while (member_.ids.contains(from))
    ++from;
  return from;
}

std::vector<SequenceId> PoolClient::sequences() const {
  std::vector<SequenceId> sequences;
  for (const auto& [own, pool] : member_.ids)
    sequences.push_back(own);
  return sequences;
}

HeldPrefix PoolClient::held_prefix(std::span<const Token> tokens, const SublayerMask& mask,
                                   KvReuse reuse) {
  const Lock lock(worker_->mutex());
  give_back_borrowed();
  const KvCells& cells = worker_->decoder().cells();
  HeldPrefix best;
  for (const auto& [own, pool] : member_.ids) {
    const int length = cells.held_length(pool, tokens, mask, reuse);
    if (length > best.length) best = {own, length};
  }
  const HeldPrefix anywhere = cells.held_prefix(tokens, mask, reuse);
  if (anywhere.length <= best.length) return best;
  member_.borrowed = worker_->take_id();
  worker_->decoder().fork(anywhere.sequence, *member_.borrowed, anywhere.length);
  return {BORROWED, anywhere.length};
}

SequenceId PoolClient::pool_id(SequenceId sequence) {
  assert(sequence >= 0);
  const auto [found, is_new] = member_.ids.try_emplace(sequence, -1);
  if (is_new) found->second = worker_->take_id();
  return found->second;
}

std::optional<SequenceId> PoolClient::known_id(SequenceId sequence) const {
  if (sequence == BORROWED) return member_.borrowed;
  const auto found = member_.ids.find(sequence);
  return found == member_.ids.end() ? std::nullopt : std::optional(found->second);
}

void PoolClient::forget(SequenceId sequence) {
  const auto found = member_.ids.find(sequence);
  worker_->release_id(found->second);
  member_.ids.erase(found);
}

void PoolClient::give_back_borrowed() {
  if (!member_.borrowed) return;
  worker_->decoder().remove(*member_.borrowed);
  worker_->release_id(*member_.borrowed);
  member_.borrowed.reset();
}

}  // namespace litestage
