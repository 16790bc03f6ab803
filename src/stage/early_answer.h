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
/// Whether it can be asked before the first stage: that stage's prompt quotes the question and its
/// options.
bool can_ask_first(const Program& program);
/// The program's early answer behind the conversation, for that stage.
/// @param first before the first stage, whose prompt is then given as far as it quotes the question
/// and its options: the KV of that much serves both
StageContext early_answer_context(const Program& program, const Conversation& conversation,
                                  const Question& question, bool first);

}  // namespace litestage
