#pragma once

#include <functional>
#include <string>
#include <vector>

#include "litestage/plan.h"
#include "offline/damage_meter.h"
#include "offline/importance.h"

namespace litestage {

/// One way to run a stage, before anyone knows how right its answers are.
struct Candidate {
  StageSettings settings;
  std::string label;        ///< for people: "8 sublayers", "decode -12 %, attention kept"
  double predicted_ms = 0;  ///< of the stage for a question, at the full model's text lengths
  double damage = 0;        ///< KL, nats a token; 0 for the first candidate, NaN when not measured
};

/// A stage with its candidates; the first one leaves nothing out.
struct StageCandidates {
  std::string stage;
  std::vector<Candidate> candidates;
};

/// The paper's sweep (step 2): for k = 0..most, the k sublayers of highest cosine are left out,
/// reading and writing. The cosine is the paper's: over prefill tokens, accumulated over stages, so
/// the order is one for the whole program. Ties go to the lower layer, attention first.
std::vector<StageCandidates> cosine_candidates(const Importance& importance, int most);

struct LatencyCandidateOptions {
  int count = 6;             ///< candidates a stage at most, beside the one that leaves nothing out
  double most_damage = 0.6;  ///< nats a token: worse ones are dropped before any text is written
  int remeasured = 4;        ///< best few of each greedy step that are measured anew
  int attention = 1;         ///< 0: attention is never left out (all KV stays whole)
};

/// Ours: masks that grow by the sublayer of least damage for each millisecond saved, the best few
/// measured anew at every step, since damages do not add up. One chain for writing alone, one for
/// reading alone (FFNs only, see StageSettings) and one for both; each with attention protected
/// and, when allowed, without. Of all links those are kept that no other one beats in both
/// predicted milliseconds and damage, thinned out to `count`, evenly in milliseconds.
/// @param progress called with what is being measured; returning false stops (nothing is returned)
std::vector<StageCandidates> latency_candidates(
    const Importance& importance, DamageMeter& meter, const LatencyCandidateOptions& options,
    const std::function<bool(const std::string&)>& progress = {});

}  // namespace litestage
