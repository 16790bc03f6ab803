#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/generation_early_exit.h"
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
};

/// Called with the questions done and all of them; returning false stops.
using TraceProgress = std::function<bool(int, int)>;

/// Takes questions through a program with the full model and keeps what its stages read and wrote:
/// the calibration texts for cosine, damage and cost. Branches come one trace each, in the order of
/// their options.
/// @return nothing when `progress` said stop
/// @throws UserError when a question does not fit the program or the context
std::vector<StageTrace> record_traces(Decoder& decoder, const Program& program,
                                      const std::vector<Question>& questions,
                                      const TraceProgress& progress = {});

}  // namespace litestage
