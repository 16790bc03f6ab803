#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "litestage/plan.h"
#include "offline/damage_meter.h"
#include "offline/importance.h"

namespace litestage {

/// One way to run a stage, before anyone knows how right its answers are.
struct Candidate {
  StageSettings settings;
  std::string label;  ///< for people: "8 sublayers", "decode -12 %, attention kept"
  /// Of the stage for a question, at the full model's text lengths, with what it and later stages
  /// must then read again; the paper's candidates without.
  double predicted_ms = 0;
  double damage = 0;  ///< KL, nats a token; 0 for the first candidate, NaN when not measured
};

/// A stage with its candidates; the first one leaves nothing out.
struct StageCandidates {
  std::string stage;
  std::vector<Candidate> candidates;
};

/// Milliseconds that a stage takes to read a fresh token: its full cost less that of the sublayers
/// left out, never below 0.
double fresh_token_ms(const StageImportance& stage, const StageSettings& settings);

/// What a stage takes for a question at the full model's text lengths, milliseconds: fresh tokens
/// and written ones, each at its full cost less that of the sublayers left out, never below 0.
double predicted_ms(const StageImportance& stage, const StageSettings& settings);

/// The paper's sweep (step 2): for k = 0..most, the k sublayers of highest cosine are left out,
/// reading and writing. The cosine is the paper's: over prefill tokens, accumulated over stages
/// (accumulated_change.h), so the order is one for the whole program. Ties go to the lower layer,
/// attention first.
/// @param most as many sublayers as there are, where it is more
std::vector<StageCandidates> cosine_candidates(const Importance& importance, int most);

struct LatencyCandidateOptions {
  int count = 6;             ///< candidates a stage at most, beside the one that leaves nothing out
  double most_damage = 0.6;  ///< nats a token: worse ones are dropped before any text is written
  int remeasured = 3;        ///< most that are measured anew in a greedy step
  bool attention = true;     ///< false: attention is never left out (all KV stays whole)
};

/// Damage of a stage under settings, nats a token (NaN when there is nothing to measure it on);
/// nothing when it was stopped.
using MeasureDamage =
    std::function<std::optional<double>(const std::string& stage, const StageSettings& settings)>;

/// Milliseconds a question that a stage under settings makes stages read again (rereading.h).
using RereadMs = std::function<double(const std::string& stage, const StageSettings& settings)>;

/// Ours: masks that grow by the sublayers of least damage for each millisecond saved, the best few
/// measured anew at every step, since damages do not add up (mask_growth.h). One chain for writing
/// alone, one for reading alone (FFNs only, see StageSettings) and one for both; the first and the
/// last with attention protected and, when allowed, without. Of all links those are kept that no
/// other one beats in both predicted milliseconds and damage, thinned out to `count`, evenly in
/// milliseconds.
///
/// A chain ends when it saves 35 % of what it works on (writing, reading or both), when every next
/// link does more than `most_damage`, or when two links in a row are beaten by known ones. Reading
/// or writing that takes less than 5 % of a stage has no chain. A chain has 16 steps at most, so a
/// stage has at most 5 * 16 * (remeasured + 1) measurements; equal masks are measured once. Where
/// damage ends chains at a fifth of the time and attention is a poor bargain (0.5B on a CPU), that
/// is about 20 measurements for the first chain and 30 to 60 for the stage.
/// @param progress called with what is being measured; returning false stops (nothing is returned)
/// @param reread counts in what links are predicted to take once their chains are grown; empty:
/// nothing is read again
std::vector<StageCandidates> latency_candidates(
    const Importance& importance, const MeasureDamage& measure,
    const LatencyCandidateOptions& options,
    const std::function<bool(const std::string&)>& progress = {}, const RereadMs& reread = {});

}  // namespace litestage
