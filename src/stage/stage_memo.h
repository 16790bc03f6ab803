#pragma once

#include <optional>
#include <string>
#include <vector>

#include "litestage/plan.h"
#include "litestage/program.h"
#include "stage/stage_runner.h"

namespace litestage {

/// Everything that decides what a stage writes, beside model and program.
struct StageCall {
  const Question& question;
  const Stage& stage;
  const StageSettings& settings;
  const std::vector<StageContext>& contexts;
  std::uint32_t seed = 0;
  float greedy_temperature = 0;
  /// Under KvReuse::whole the KV of the context depends on how it came about: a digest of the
  /// stages before this one. Empty under KvReuse::exact.
  std::string history;
};

/// sha256 over everything in a call but the question's own text, which its contexts hold.
std::string call_digest(const StageCall& call);

/// Remembers what stages wrote, so that work is not done twice, or watches it.
class StageMemo {
 public:
  virtual ~StageMemo() = default;
  /// The stored outcome of an equal call; then the stage is not run.
  virtual std::optional<StageOutcome> find(const StageCall& call) = 0;
  /// Told of every outcome that was computed, unless it was interrupted.
  virtual void store(const StageCall& call, const StageOutcome& outcome) = 0;
};

}  // namespace litestage
