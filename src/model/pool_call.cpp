#include "model/pool_call.h"

#include <algorithm>

namespace litestage {
namespace {

/// Tokens that are read between two steps of decoding. Fewer would make reading slower: it takes
/// this many to be bound by arithmetic, not by reading weights.
constexpr std::size_t MOST_READ = 128;

bool go_together(const PoolCall& a, const PoolCall& b) {
  return &a == &b || (a.taps.empty() && b.taps.empty() && a.key == b.key);
}

}  // namespace

std::vector<Piece> choose_batch(std::span<PoolCall* const> calls, std::size_t ubatch,
                                bool decoding) {
  const auto first =
      std::find_if(calls.begin(), calls.end(), [](const PoolCall* call) { return call->admitted; });
  if (first == calls.end()) return {};
  const bool hurry = decoding || std::any_of(first, calls.end(), [](const PoolCall* call) {
                       return call->admitted && call->decodes();
                     });
  std::size_t room = ubatch;
  std::size_t reading = hurry ? MOST_READ : ubatch;
  std::vector<Piece> pieces;
  for (auto it = first; it != calls.end(); ++it) {
    PoolCall& call = **it;
    if (!call.admitted || !go_together(**first, call)) continue;
    std::size_t tokens = std::min(call.left(), room);
    if (!call.decodes()) {
      tokens = std::min(tokens, reading);
      reading -= tokens;
    }
    if (tokens == 0) continue;
    room -= tokens;
    pieces.push_back({&call, std::span(call.batch).subspan(call.placed, tokens)});
  }
  return pieces;
}

}  // namespace litestage
