#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/program.h"
#include "litestage/question.h"
#include "offline/importance.h"
#include "offline/paired_cost.h"

namespace litestage {

struct ProfileOptions {
  /// Tokens a stage that damage is measured on: each sublayer's figure takes a pass over them.
  /// Questions take turns until they are used up. 0: damage is not measured.
  int damage_tokens = 384;
  PairingOptions cost;  ///< of a stage's prefill, and of its decoding
  /// A search's memo (stage_store.h): the full model's texts are taken from it and put into it, so
  /// that they are written once. Empty: none.
  std::string memo;
  KvReuse kv_reuse = KvReuse::whole;  ///< the search's, which is part of the memo's keys
  std::string question_set;           ///< for the record, as Importance has it
  std::string engine;                 ///< as the memo knows it (stage_store.h)
};

/// A step of the profile that is under way.
struct ProfileProgress {
  int step = 1;  ///< of `steps`
  int steps = 1;
  std::string what;  ///< "texts", "cosine", "milliseconds", "damage"
  std::string unit;  ///< what `done` and `total` count: "questions", "tokens", ...
  std::int64_t done = 0;
  std::int64_t total = 0;
};

using ProfileListener = std::function<void(const ProfileProgress&)>;

/// The paper's first step, and beyond: what each sublayer changes, harms when it is left out, and
/// costs, in each stage of a program.
///
/// 1. The full model answers the questions; what its stages read and write are the traces.
/// 2. Cosine and norm ratio of each sublayer over the traces' tokens (cosine_meter.h).
/// 3. Milliseconds of each sublayer at each stage's typical lengths (sublayer_cost.h).
/// 4. Damage of leaving out each sublayer alone (damage_meter.h): in reading, in writing. Attention
///    that is left out in reading is left out in writing too, as StageSettings demands.
///
/// @param decoder its cache is cleared and used
/// @param partial file that finished pieces are kept in, so that a profile that was stopped or
/// killed goes on from there; empty: none. The caller removes it when the result is safe.
/// @param stop set by another thread or a signal handler
/// @return nothing when it was stopped
/// @throws UserError when a question does not fit, or the partial file belongs to another profile
std::optional<Importance> profile(Decoder& decoder, const Program& program,
                                  const std::vector<Question>& questions,
                                  const ProfileOptions& options, const std::string& partial,
                                  const ProfileListener& listener = {},
                                  const std::atomic<bool>* stop = nullptr);

}  // namespace litestage
