#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/mask_schedule.h"
#include "litestage/plan.h"
#include "litestage/program.h"
#include "litestage/question.h"

namespace litestage {

/// Why a stage's text ended.
enum class StopReason {
  end_of_text,      ///< the model said so
  stop_string,      ///< a stop string of the stage
  max_tokens,       ///< the stage's budget
  choice,           ///< a choice read from logits: nothing was written
  grammar,          ///< the grammar admits nothing more
  low_confidence,   ///< generation early exit: the window's mean fell to the threshold
  answer_complete,  ///< the stage's pattern matched
  repetition,       ///< the text went round in circles
  budget,           ///< the exit rule's own max_tokens
  sure,             ///< an early answer whose margin was enough: the stages behind it were left out
  interrupted,      ///< the caller asked to stop
};

/// The name used in records: "end_of_text", "stop_string", ...
std::string to_string(StopReason reason);
/// The reason of that name, if there is one.
std::optional<StopReason> parse_stop_reason(std::string_view name);

/// What one stage, or one branch of a for_each stage, did.
struct StageRecord {
  std::string name;
  std::string option;  ///< letter, for a branch
  std::string text;
  int prompt_tokens = 0;  ///< the whole context in front of the text
  int reused_tokens = 0;  ///< of these, found in the KV cache
  int tokens = 0;         ///< written
  double prefill_ms = 0;  ///< branches of one stage share their time: each bears an equal part
  double decode_ms = 0;
  StopReason stop_reason = StopReason::end_of_text;
  std::string mask;          ///< while writing, short form; with a schedule, the text's last one
  std::string prefill_mask;  ///< while reading
  bool remembered = false;   ///< taken from a memo: no time was spent on it
  /// Of a choice by logits: how much likelier the likeliest option is than the next.
  std::optional<double> margin = std::nullopt;
};

struct QuestionRecord {
  Question question;
  std::string answer;  ///< empty when none was found
  std::vector<StageRecord> stages;
  std::vector<std::string> votes;  ///< every vote, when there were several
  double total_ms = 0;
  bool interrupted = false;
};

/// Gets the text while it is written. All functions may be left as they are.
class PipelineListener {
 public:
  virtual ~PipelineListener() = default;
  virtual void on_stage_begin(const std::string& /*stage*/,
                              const std::vector<std::string>& /*options*/) {}
  /// @param branch index of the option in a for_each stage, else 0
  virtual void on_text(const std::string& /*stage*/, int /*branch*/, std::string_view /*piece*/) {}
  /// Whether `on_confidence` is to be called: where no exit rule watches the confidence anyway, it
  /// costs a look at all logits.
  virtual bool wants_confidence() const { return false; }
  /// The confidence in each token, of the kind that the stage's exit rule names.
  virtual void on_confidence(const std::string& /*stage*/, int /*branch*/, float /*value*/) {}
  virtual void on_stage_end(const std::vector<StageRecord>& /*records*/) {}
};

class StageMemo;  // src/stage/stage_memo.h

struct PipelineOptions {
  StageSettings settings;  ///< for every stage that has none of its own
  std::map<std::string, StageSettings> stages;
  KvReuse kv_reuse = KvReuse::exact;
  /// Without it every stage reads its whole context, what stands before every question included:
  /// for comparison. Neither with `memo` nor with `merge_branches`.
  bool keep_kv = true;
  /// The branches of a stage are read and written one after another, not in one batch: for
  /// comparison. What they share is read once all the same.
  bool branches_in_turn = false;
  int votes = 1;  ///< sample this often and take the majority
  std::uint32_t seed = 0;
  float vote_temperature = 0.7F;  ///< for greedy stages when votes > 1
  /// Asked for a schedule whenever a stage is about to write; empty: masks stay as settings say.
  /// Every schedule must leave out the attention that the stage leaves out while reading.
  MaskScheduleFactory schedules;
  /// Asked before each stage and told after it; must outlive the pipeline. Not together with
  /// `schedules`, whose masks no call names.
  StageMemo* memo = nullptr;
  EarlyAnswers early;  ///< of no effect where the program has no early answer
  /// Texts written side by side are taken over by a stage that quotes them, instead of being read
  /// again: an approximation (KeptText). Not together with `memo`, which has no KV.
  bool merge_branches = false;
  bool record_confidence = false;  ///< keep the confidence of every token for the memo
};

/// Takes questions through a program's stages on one decoder, which must outlive it.
class Pipeline {
 public:
  /// @throws UserError when a mask names an unknown stage, the model has no chat template for a
  /// chat program, or branches are to be merged of which no KV is kept
  Pipeline(Decoder& decoder, Program program, PipelineOptions options = {});
  ~Pipeline();

  /// @param stop set by another thread or a signal handler: ends within one token with what there
  /// is
  /// @throws UserError when the question does not fit the program or the context, before any work
  QuestionRecord answer(const Question& question, PipelineListener* listener = nullptr,
                        const std::atomic<bool>* stop = nullptr);

  /// What `answer` checks before any work, for those who want to know of all questions at first.
  /// @throws UserError when the question does not fit the program or the context
  void check(const Question& question) const;

  /// KV cells that answering may take, with all texts as long as they may be and nothing shared
  /// between stages that read under different masks; at most the whole context.
  int room_needed(const Question& question) const;

  const Program& program() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace litestage
