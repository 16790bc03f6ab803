#include "stage/kept_preamble.h"

namespace litestage {

KeptPreamble::~KeptPreamble() {
  for (const SequenceId sequence : sequences_)
    decoder_.remove(sequence);
}

void KeptPreamble::keep(std::span<const SublayerMask> masks, KvReuse kv_reuse) {
  if (tokens_.empty()) return;
  bool first = true;
  for (const SublayerMask& mask : masks) {
    if (!first && decoder_.free_cells() < decoder_.options().context / 2) return;
    keep(mask, kv_reuse);
    first = false;
  }
}

void KeptPreamble::keep(const SublayerMask& mask, KvReuse kv_reuse) {
  const HeldPrefix held = decoder_.held_prefix(tokens_, mask, kv_reuse);
  if (held.length == static_cast<int>(tokens_.size())) return;
  const SequenceId sequence = decoder_.unused_sequence();
  std::vector<BatchToken> batch;
  for (const Token token : tokens_)
    batch.push_back({token, sequence, false});
  if (decoder_.forward(batch, mask).interrupted) return;
  sequences_.push_back(sequence);
}

}  // namespace litestage
