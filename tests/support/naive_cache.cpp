#include "support/naive_cache.h"

#include <algorithm>

#include "support/decoder_tools.h"

namespace litestage::test {

const NaiveCache::Sequence& NaiveCache::sequence(SequenceId id) const {
  static const Sequence NONE;
  const auto found = sequences_.find(id);
  return found == sequences_.end() ? NONE : found->second;
}

std::vector<SequenceId> NaiveCache::living() const {
  std::vector<SequenceId> ids;
  for (const auto& [id, entries] : sequences_) {
    if (!entries.empty()) ids.push_back(id);
  }
  return ids;
}

int NaiveCache::free_cells() const {
  std::set<int> used;
  for (const auto& [id, entries] : sequences_) {
    for (const Entry& entry : entries)
      used.insert(entry.cell);
  }
  return options_.context - static_cast<int>(used.size());
}

std::optional<int> NaiveCache::first_lacking(SequenceId id, const SublayerMask& mask) const {
  const Sequence& entries = sequence(id);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    for (int layer = 0; layer < model_->layer_count(); ++layer) {
      if (!mask.skips(Sublayer::attention, layer) &&
          entries[i].mask.skips(Sublayer::attention, layer)) {
        return static_cast<int>(i);
      }
    }
  }
  return std::nullopt;
}

std::set<SequenceId> NaiveCache::sequences_of(std::span<const BatchToken> batch) const {
  std::set<SequenceId> ids;
  for (const BatchToken& item : batch)
    ids.insert(item.sequence);
  return ids;
}

int NaiveCache::cells_needed(std::span<const BatchToken> batch, const SublayerMask& mask) const {
  std::set<int> lacking;
  for (const SequenceId id : sequences_of(batch)) {
    const Sequence& entries = sequence(id);
    auto i = static_cast<std::size_t>(
        first_lacking(id, mask).value_or(static_cast<int>(entries.size())));
    for (; i < entries.size(); ++i)
      lacking.insert(entries[i].cell);
  }
  return static_cast<int>(batch.size() + lacking.size());
}

void NaiveCache::append(std::span<const BatchToken> batch, const SublayerMask& mask) {
  std::map<int, int> replacements;  // what the sequences of a batch shared, they share again
  for (const SequenceId id : sequences_of(batch)) {
    const auto from = first_lacking(id, mask);
    if (!from) continue;
    Sequence& entries = sequences_[id];
    for (auto i = static_cast<std::size_t>(*from); i < entries.size(); ++i) {
      entries[i].mask = mask;
      // Never in place: a sequence outside the batch may still need the cell as it was.
      entries[i].cell = replacements.try_emplace(entries[i].cell, next_cell_++).first->second;
    }
  }
  for (const BatchToken& item : batch) {
    sequences_[item.sequence].push_back({item.token, mask, next_cell_++});
  }
}

void NaiveCache::fork(SequenceId from, SequenceId to, int length) {
  const Sequence& entries = sequence(from);
  sequences_[to] = Sequence(entries.begin(), entries.begin() + length);
}

void NaiveCache::truncate(SequenceId id, int length) {
  sequences_[id].resize(static_cast<std::size_t>(length));
}

void NaiveCache::remove(SequenceId id) {
  sequences_.erase(id);
}

std::vector<float> NaiveCache::last_logits(SequenceId id) const {
  Decoder decoder(model_, options_);
  const Sequence& entries = sequence(id);
  std::vector<float> logits;
  for (auto begin = entries.begin(); begin != entries.end();) {
    const auto end = std::find_if(begin, entries.end(),
                                  [&](const Entry& entry) { return entry.mask != begin->mask; });
    std::vector<Token> tokens;
    std::transform(begin, end, std::back_inserter(tokens),
                   [](const Entry& entry) { return entry.token; });
    const ForwardResult result = decoder.forward(0, tokens, begin->mask);
    logits.assign(result.logits.begin(), result.logits.end());
    begin = end;
  }
  return logits;
}

int NaiveCache::held(std::span<const Token> tokens, const SublayerMask& mask) const {
  int longest = 0;
  for (const auto& [id, entries] : sequences_) {
    std::size_t length = 0;
    while (length < std::min(entries.size(), tokens.size()) &&
           entries[length].token == tokens[length] && entries[length].mask == mask) {
      ++length;
    }
    longest = std::max(longest, static_cast<int>(length));
  }
  return longest;
}

}  // namespace litestage::test
