#pragma once

#include <optional>
#include <vector>

#include "offline/fresh_tokens.h"
#include "stage/stage_memo.h"

namespace litestage {

/// Writes down what the stages of the question at hand were run with and wrote, whether they were
/// computed or remembered, and passes all calls on to another memo where there is one.
class StageRecorder : public StageMemo {
 public:
  /// @param memo must outlive the recorder; null: nothing is remembered
  explicit StageRecorder(StageMemo* memo = nullptr) : memo_(memo) {}

  std::optional<StageOutcome> find(const StageCall& call) override;
  void store(const StageCall& call, const StageOutcome& outcome) override;

  /// The stages since the last time, in the order they ran.
  std::vector<StageLog> take();

 private:
  void log(const StageCall& call, const StageOutcome& outcome);

  StageMemo* memo_;
  std::vector<StageLog> stages_;
};

}  // namespace litestage
