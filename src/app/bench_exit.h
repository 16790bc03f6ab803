#pragma once

#include <memory>
#include <vector>

#include "app/bench_workload.h"
#include "base/statistics.h"
#include "litestage/decoder.h"
#include "litestage/generation_early_exit.h"
#include "litestage/model.h"

namespace litestage::app {

/// What a rule for ending texts (generation early exit) costs while it watches a confidence.
struct ExitCheck {
  BenchTest test;
  ConfidenceKind confidence = ConfidenceKind::largest_logit;
  double milliseconds = 0;  ///< of the check in a step of all sequences, mean
  double share = 0;         ///< of the time of a step without it
  /// A step's time with the check / without: holds what the check does to the step itself, but the
  /// noise of both too.
  Ratio ratio;
};

/// Times decoding steps of a tg test without a check and with one of each kind, in turns, the order
/// turned round every time: each turn is a pair for each kind.
std::vector<ExitCheck> measure_exit_checks(const std::shared_ptr<const Model>& model,
                                           const DecoderOptions& options, const BenchTest& test,
                                           int repetitions);

}  // namespace litestage::app
