#pragma once

#include <vector>

#include "stage/conversation.h"
#include "stage/stage_runner.h"

namespace litestage {

/// What the model would choose as things stand.
struct EarlyChoice {
  std::vector<StageRecord> records;   ///< one: what asking cost, and the letter
  std::vector<double> probabilities;  ///< of the options, among themselves
  bool interrupted = false;

  /// How much likelier the likeliest option is than the next.
  double margin() const;
  /// The likeliest options, at least one, in the question's order.
  std::vector<Option> likeliest(const Question& question, int most) const;
};

/// Reads the program's early answer behind the conversation: one short prefill, and nothing that
/// later stages go on from.
/// @param settings of the stage that has just been run, so that its KV is gone on from
EarlyChoice choose_early(QuestionRun& run, const Program& program, const Conversation& conversation,
                         const StageSettings& settings);

}  // namespace litestage
