#pragma once

#include "offline/cosine_meter.h"
#include "offline/importance.h"

namespace litestage {

/// A sublayer's mean cosine and norm ratio in reading, accumulated over stages (paper, step 1):
///
///     sum over stages of P c / sum over stages of P,
///
/// P the tokens of a stage's prompts and c the mean over them. A prompt counts whole, with what
/// the stages before it read and wrote, although the stage itself need not read that again: with
/// nothing left out a token's change is the same, read anew or found in the cache. What was
/// measured before prompts were counted (StageImportance::prompt_tokens) has fresh tokens for P.
/// @return both UNKNOWN where a stage's is, or where no stage reads anything
MeanChange accumulated_change(const Importance& importance, Sublayer sublayer, int layer);

}  // namespace litestage
