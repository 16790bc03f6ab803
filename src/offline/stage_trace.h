#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/pipeline.h"
#include "litestage/program.h"
#include "litestage/question.h"

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

/// Takes questions, one after the other, through a program with the full model and keeps what its
/// stages read and wrote.
class TraceRecorder {
 public:
  /// @param decoder must stay alive; what its cache holds counts as read already
  /// @throws UserError when the program and the model do not fit together
  TraceRecorder(Decoder& decoder, const Program& program);
  ~TraceRecorder();

  /// The traces of one question: branches come one trace each, in the order of their options.
  /// @param index the question's, for the traces
  /// @param stop set by another thread or a signal handler
  /// @return nothing when it was stopped
  /// @throws UserError when the question does not fit the program or the context
  std::optional<std::vector<StageTrace>> record(const Question& question, int index,
                                                const std::atomic<bool>* stop,
                                                PipelineListener* listener = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Called with the questions done and all of them, again and again while texts are written;
/// returning false stops.
using TraceProgress = std::function<bool(int, int)>;

/// The traces of all questions: the calibration texts for cosine, damage and cost. The decoder's
/// cache is cleared before and after.
/// @return nothing when `progress` said stop
/// @throws UserError when a question does not fit the program or the context
std::vector<StageTrace> record_traces(Decoder& decoder, const Program& program,
                                      const std::vector<Question>& questions,
                                      const TraceProgress& progress = {});

}  // namespace litestage
