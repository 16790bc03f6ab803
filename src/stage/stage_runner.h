#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/mask_schedule.h"
#include "litestage/pipeline.h"
#include "stage/branch_merge.h"
#include "stage/conversation.h"
#include "stage/kept_preamble.h"

namespace litestage {

/// What the stages of one question share.
struct QuestionRun {
  Decoder& decoder;
  const Question& question;
  PipelineListener& listener;
  KeptPreamble& preamble;
  const std::atomic<bool>* stop = nullptr;
  std::uint32_t seed = 0;
  float greedy_temperature = 0.0F;  ///< for stages that are greedy by themselves
  KvReuse kv_reuse = KvReuse::exact;
  bool keep_kv = true;  ///< as in PipelineOptions, like the next
  bool branches_in_turn = false;
  bool record_confidence = false;
  double sure_at = EarlyAnswers::NEVER;  ///< margin from which a choice by logits is the last one
  const MaskScheduleFactory* schedules = nullptr;  ///< null: masks stay as the settings say
  bool merge_branches = false;
  std::vector<WrittenText> branches = {};  ///< written and still there, where they are merged
  std::vector<SequenceId> foreign = {};  ///< ascending: not the program's own, never to be removed
};

/// One context to write on, and where its text goes.
struct StageContext {
  std::vector<Token> tokens;
  std::string option;  ///< letter, in a for_each stage
};

/// Tokens that all contexts begin with. At least one token of each is left as its own: it must be
/// computed, for its logits.
std::size_t shared_length(const std::vector<StageContext>& contexts);

/// What a stage wrote: a record and the sampled tokens for each context.
struct StageOutcome {
  std::vector<StageRecord> records;
  std::vector<std::string> raw_texts;  ///< as written, before spaces at the ends are left out
  std::vector<std::vector<Token>> tokens;
  std::vector<std::vector<Confidence>> confidences;  ///< one a token, when they are recorded
  /// Of a choice by logits, for each context: the options' probabilities among themselves.
  std::vector<std::vector<double>> option_probabilities;
  /// Holds the context and its text, where there was one context and it was computed.
  std::optional<SequenceId> sequence;
  bool interrupted = false;
};

/// Whether a stage writes a text, and does not choose by the letters' logits alone.
bool writes_text(const Stage& stage);

/// Whether a stage reads more of its logits than the highest ones or those of given tokens: it
/// samples, is bound to a grammar, or watches a confidence that all logits go into. If not,
/// HeadUse::preview writes, and chooses, what HeadUse::full does.
bool needs_all_logits(const Stage& stage, const ExitRule& exit);

/// Runs one stage on all its contexts, at once unless the run says otherwise, reading only what the
/// KV cache does not hold yet.
StageOutcome run_stage(QuestionRun& run, const Stage& stage, const StageSettings& settings,
                       const std::vector<StageContext>& contexts);

/// Brings the KV cache to where run_stage would have left it after one context and the text written
/// on it, without sampling: prefill speed instead of one token at a time.
void replay_stage(QuestionRun& run, const StageSettings& settings, const StageContext& context,
                  std::span<const Token> text);

/// The GBNF that admits the letters of a question's options alone.
std::string choice_grammar(const Question& question);

}  // namespace litestage
