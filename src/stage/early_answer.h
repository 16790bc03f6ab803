#pragma once

#include <vector>

#include "stage/conversation.h"
#include "stage/stage_runner.h"

namespace litestage {

/// What the model would choose as things stand.
struct EarlyChoice {
  std::vector<double> probabilities;  ///< of the options, among themselves

  /// The likeliest options, at least one, in the question's order.
  std::vector<Option> likeliest(const Question& question, int most) const;
};

/// The stage that asks a program's early answer: one short prefill.
const Stage& early_answer_stage();
/// The program's early answer behind the conversation, for that stage.
StageContext early_answer_context(const Program& program, const Conversation& conversation,
                                  const Question& question);

}  // namespace litestage
