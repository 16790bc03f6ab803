#include "offline/fresh_tokens.h"

#include <algorithm>
#include <span>

#include "model/kv_cache.h"

namespace litestage {
namespace {

/// Tokens in the KV cache, and the mask each was computed under.
struct HeldSequence {
  std::vector<Token> tokens;
  std::vector<const SublayerMask*> masks;
};

/// The held sequence with the longest prefix of `tokens` that can be gone on from.
std::pair<std::size_t, const HeldSequence*> longest_held(const std::vector<HeldSequence>& held,
                                                         std::span<const Token> tokens,
                                                         const SublayerMask& mask, KvReuse reuse) {
  std::pair<std::size_t, const HeldSequence*> best = {0, nullptr};
  for (const HeldSequence& sequence : held) {
    const std::size_t limit = std::min(tokens.size(), sequence.tokens.size());
    std::size_t length = 0;
    while (length < limit && sequence.tokens[length] == tokens[length] &&
           kv_is_usable(*sequence.masks[length], mask, reuse))
      ++length;
    if (length > best.first) best = {length, &sequence};
  }
  return best;
}

/// What stays in the cache after a stage with one context.
HeldSequence left_behind(const StageLog& stage, std::size_t held, const HeldSequence* from) {
  HeldSequence sequence;
  sequence.tokens = stage.contexts[0].tokens;
  if (from != nullptr)
    sequence.masks.assign(from->masks.begin(),
                          from->masks.begin() + static_cast<std::ptrdiff_t>(held));
  sequence.masks.resize(sequence.tokens.size(), &stage.settings.prefill);
  const std::vector<Token>& text = stage.texts[0];
  if (!text.empty())  // the token sampled last was never read
    sequence.tokens.insert(sequence.tokens.end(), text.begin(), text.end() - 1);
  sequence.masks.resize(sequence.tokens.size(), &stage.settings.decode);
  return sequence;
}

}  // namespace

std::vector<int> fresh_tokens(const std::vector<StageLog>& stages,
                              const std::vector<Token>& preamble, KvReuse reuse) {
  std::vector<HeldSequence> held;
  held.reserve(2 * stages.size());
  for (const StageLog& stage : stages) {
    held.push_back(
        {preamble, std::vector<const SublayerMask*>(preamble.size(), &stage.settings.prefill)});
  }
  std::vector<int> fresh;
  for (const StageLog& stage : stages) {
    const std::size_t shared = shared_length(stage.contexts);
    const std::span<const Token> prefix = std::span(stage.contexts[0].tokens).first(shared);
    const auto [length, from] = longest_held(held, prefix, stage.settings.prefill, reuse);
    std::size_t read = shared - length;
    for (const StageContext& context : stage.contexts)
      read += context.tokens.size() - shared;
    fresh.push_back(static_cast<int>(read));
    // Branches are gone when their stage is over.
    if (stage.contexts.size() == 1) held.push_back(left_behind(stage, length, from));
  }
  return fresh;
}

}  // namespace litestage
