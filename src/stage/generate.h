#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/generation_early_exit.h"
#include "litestage/mask_schedule.h"
#include "litestage/pipeline.h"
#include "litestage/sampler.h"

namespace litestage {

/// One text being written on a sequence that holds its context.
struct GenerationBranch {
  SequenceId sequence = 0;
  Sampler sampler;
};

/// Called with every token chosen, the end of text too, and the logits it was chosen from.
using TokenCallback = std::function<void(Token, std::span<const float>)>;

/// Called with the branch and the confidence in the token just chosen, of the exit rule's kind.
using ConfidenceCallback = std::function<void(int, float)>;

struct GenerationLimits {
  int max_tokens = 128;
  std::vector<std::string> stop;
  bool has_grammar = false;
  ExitRule exit;
  std::string pattern;  ///< what exit.answer_complete waits for; empty: nothing
  bool record_confidence = false;
  HeadUse head = HeadUse::full;
  TokenCallback on_token = {};            ///< may be empty
  ConfidenceCallback on_confidence = {};  ///< may be empty
};

struct GeneratedText {
  std::string text;           ///< up to, and without, a stop string; cut back after a rollback
  std::vector<Token> tokens;  ///< as sampled, without the end of text
  std::vector<Confidence> confidences;  ///< one a token, when they are recorded
  StopReason reason = StopReason::end_of_text;
  SublayerMask mask;  ///< of the last step the branch took part in
};

/// Called with the branch and what can be shown of its text.
using TextCallback = std::function<void(int, std::string_view)>;

/// Writes all branches at once, one batch a step; a branch that has ended leaves the batch.
/// @param mask of every step; with a schedule, of those before it has a say: none
/// @param schedule decides the mask of each step; may be null
/// @param first what the last forward call computed: one row a branch, in their order
std::vector<GeneratedText> generate(Decoder& decoder, const SublayerMask& mask,
                                    MaskSchedule* schedule, const ForwardResult& first,
                                    std::vector<GenerationBranch> branches,
                                    const GenerationLimits& limits, const TextCallback& on_text,
                                    const std::atomic<bool>* stop);

}  // namespace litestage
