#include "offline/decoder_timing.h"

#include <cassert>
#include <chrono>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "base/elapsed.h"

namespace litestage {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

double timed_reading(Decoder& decoder, SequenceId sequence, std::span<const Token> tokens,
                     const SublayerMask& mask, HeadUse head, bool writes) {
  // Which rows of the head, and whether one or a few, makes no difference that could be timed.
  const std::span<const Token> only = tokens.first(writes ? 0 : 1);
  const Clock::time_point start = Clock::now();
  decoder.forward(sequence, tokens, mask, head, only);
  return milliseconds_since(start);
}

double timed_steps(Decoder& decoder, std::span<const SequenceId> sequences,
                   std::span<const Token> text, const SublayerMask& mask, int steps, HeadUse head) {
  assert(!text.empty());
  std::vector<BatchToken> batch;
  batch.reserve(sequences.size());
  for (const SequenceId sequence : sequences)
    batch.push_back({text[0], sequence, true});
  decoder.forward(batch, mask, {}, head);
  const Clock::time_point start = Clock::now();
  for (std::size_t step = 1; step <= static_cast<std::size_t>(steps); ++step) {
    for (BatchToken& token : batch)
      token.token = text[step % text.size()];
    decoder.forward(batch, mask, {}, head);
  }
  return milliseconds_since(start);
}

std::string head_in_use(const Decoder& decoder) {
  const HeadPreview* preview = decoder.head_preview();
  return preview == nullptr ? "full"
                            : fmt::format("preview of {} dimensions", preview->info().rank);
}

std::string head_identity(const Decoder& decoder) {
  const HeadPreview* preview = decoder.head_preview();
  std::string head = head_in_use(decoder);
  if (preview != nullptr) head += fmt::format(", margin {}", preview->info().margin);
  return head;
}

}  // namespace litestage
