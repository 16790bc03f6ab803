#include "offline/stage_recorder.h"

#include <utility>

namespace litestage {

std::optional<StageOutcome> StageRecorder::find(const StageCall& call) {
  if (memo_ == nullptr) return std::nullopt;
  std::optional<StageOutcome> known = memo_->find(call);
  if (known) log(call, *known);
  return known;
}

void StageRecorder::store(const StageCall& call, const StageOutcome& outcome) {
  if (memo_ != nullptr) memo_->store(call, outcome);
  log(call, outcome);
}

std::vector<StageLog> StageRecorder::take() {
  return std::exchange(stages_, {});
}

void StageRecorder::log(const StageCall& call, const StageOutcome& outcome) {
  stages_.push_back(
      {call.stage.name, call.settings, call.contexts, outcome.tokens, outcome.confidences});
}

}  // namespace litestage
