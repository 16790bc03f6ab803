#pragma once

#include <string>
#include <vector>

#include "offline/fresh_tokens.h"
#include "offline/importance.h"
#include "offline/stage_trace.h"

namespace litestage {

/// What a stage that leaves sublayers out makes itself and later stages read again, for
/// predictions: KV that was written without an attention sublayer is of no use to a stage that has
/// it, and under KvReuse::exact no KV is of use to a stage of another mask (fresh_tokens.h).
class Rereading {
 public:
  /// @param importance what a fresh token costs each stage; must stay alive
  /// @param traces of some questions by the full model, as TraceRecorder gives them, in their order
  /// @param preamble what is kept under every mask that a stage reads under
  Rereading(const Importance& importance, const std::vector<StageTrace>& traces,
            std::vector<Token> preamble, KvReuse reuse);

  /// Milliseconds a question that all stages together read longer than with nothing left out, when
  /// one of them runs under settings and all write what the full model wrote. What the settings
  /// save of the tokens that are read in any case is not in it.
  double ms(const std::string& stage, const StageSettings& settings);

 private:
  struct AskedQuestion {
    std::vector<StageLog> stages;
    std::vector<int> fresh;  ///< read by each of them with nothing left out
  };

  const Importance& importance_;
  std::vector<Token> preamble_;
  KvReuse reuse_;
  std::vector<AskedQuestion> questions_;
};

}  // namespace litestage
