#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/program.h"
#include "litestage/question.h"
#include "stage/stage_memo.h"

namespace litestage {

/// What one stage (or one branch of it) read and wrote with nothing left out.
struct StageTrace {
  std::string stage;
  int question = 0;            ///< index into the calibration questions
  std::vector<Token> context;  ///< everything in front of the text
  int fresh = 0;               ///< tokens at the context's end that this stage had to read itself
  std::vector<Token> text;  ///< as sampled, without the end of text; empty for a choice by logits

  bool operator==(const StageTrace&) const = default;
};

/// A memo that texts are taken from and put into.
struct TraceMemo {
  StageMemo* memo = nullptr;          ///< null: none
  KvReuse kv_reuse = KvReuse::exact;  ///< of those who share the memo: it is part of its keys
};

/// Takes questions, one after the other, through a program with the full model and keeps what its
/// stages read and wrote.
class TraceRecorder {
 public:
  /// @param decoder must stay alive
  /// @param memo must stay alive too
  /// @throws UserError when the program and the model do not fit together
  TraceRecorder(Decoder& decoder, const Program& program, const TraceMemo& memo = {});
  ~TraceRecorder();

  /// The traces of one question: branches come one trace each, in the order of their options; the
  /// first of them bears what all of them share. What a program reads before every question is
  /// fresh for none.
  /// @param index the question's, for the traces
  /// @param stop set by another thread or a signal handler
  /// @return nothing when it was stopped
  /// @throws UserError when the question does not fit the program or the context
  std::optional<std::vector<StageTrace>> record(const Question& question, int index,
                                                const std::atomic<bool>* stop = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace litestage
