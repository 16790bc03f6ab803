#include "model/pool_client.h"

#include <cassert>

namespace litestage {

using Lock = std::lock_guard<std::mutex>;

PoolClient::PoolClient(std::shared_ptr<PoolWorker> worker) : worker_(std::move(worker)) {
  worker_->attach(member_);
}

PoolClient::~PoolClient() {
  clear();
  worker_->detach(member_);
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
                                  std::span<const Tap> taps, HeadUse head,
                                  std::span<const Token> only) {
  worker_->decoder().check(batch, mask, taps, only);
  logits_.clear();
  taps_.assign(taps.size(), {});
  PoolCall call{.member = member_,
                .key = {mask, head == HeadUse::preview ? preview_ : nullptr},
                .batch = {batch.begin(), batch.end()},
                .taps = taps,
                .interrupt = interrupt_,
                .logits = logits_,
                .tap_values = taps_,
                .only = only};
  if (batch.empty()) return call.result;
  {
    const Lock lock(worker_->mutex());
    give_back_borrowed();
    for (BatchToken& token : call.batch)
      token.sequence = pool_id(token.sequence);
  }
  worker_->compute(call);
  if (call.error || call.result.interrupted) {
    const Lock lock(worker_->mutex());
    for (const BatchToken& token : batch)
      forget_empty(token.sequence);
  }
  if (call.error) std::rethrow_exception(call.error);
  if (call.result.interrupted) return call.result;
  call.result.logits = logits_;
  call.result.taps.assign(taps_.begin(), taps_.end());
  return call.result;
}

void PoolClient::set_head_preview(std::shared_ptr<const HeadPreview> preview) {
  preview_ = std::move(preview);
}
void PoolClient::set_interrupt(std::function<bool()> interrupt) {
  interrupt_ = std::move(interrupt);
}

void PoolClient::fork(SequenceId from, SequenceId to, int length) {
  const Lock lock(worker_->mutex());
  worker_->cells().fork(*source(from), pool_id(to), length);
}

void PoolClient::truncate(SequenceId sequence, int length) {
  const Lock lock(worker_->mutex());
  const auto found = member_.ids.find(sequence);
  if (found == member_.ids.end()) return;
  worker_->cells().truncate(found->second, length);
  forget_empty(sequence);
  worker_->tell_of_room();
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
  const std::optional<SequenceId> id = source(sequence);
  return id ? worker_->decoder().length(*id) : 0;
}

int PoolClient::free_cells() const {
  const Lock lock(worker_->mutex());
  return worker_->free_cells();
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
  const KvCells& cells = worker_->cells();
  const std::vector<bool> usable = cells.usable(mask, reuse);
  HeldPrefix best;
  for (const auto& [own, pool] : member_.ids) {
    const int length = cells.held_length(pool, tokens, usable);
    if (length > best.length) best = {own, length};
  }
  const HeldPrefix anywhere = worker_->held_prefix(tokens, mask, reuse);
  if (anywhere.length <= best.length) return best;
  member_.borrowed = worker_->take_id();
  worker_->cells().fork(anywhere.sequence, *member_.borrowed, anywhere.length);
  return {BORROWED, anywhere.length};
}

SequenceId PoolClient::pool_id(SequenceId sequence) {
  assert(sequence >= 0);
  const auto [found, is_new] = member_.ids.try_emplace(sequence, -1);
  if (is_new) found->second = worker_->take_id();
  return found->second;
}

std::optional<SequenceId> PoolClient::source(SequenceId sequence) const {
  if (sequence == BORROWED) return member_.borrowed;
  const auto found = member_.ids.find(sequence);
  return found == member_.ids.end() ? std::nullopt : std::optional(found->second);
}

void PoolClient::forget_empty(SequenceId sequence) {
  const auto found = member_.ids.find(sequence);
  if (found == member_.ids.end() || worker_->decoder().length(found->second) > 0) return;
  worker_->give_id_back(found->second);
  member_.ids.erase(found);
}

void PoolClient::give_back_borrowed() {
  if (!member_.borrowed) return;
  worker_->cells().remove(*member_.borrowed);
  worker_->give_id_back(*member_.borrowed);
  member_.borrowed.reset();
  worker_->tell_of_room();
}

}  // namespace litestage
