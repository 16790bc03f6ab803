#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/pipeline.h"

namespace litestage::serve {

/// A text while it is written, without blanks at its ends.
class TrimmedText {
 public:
  /// What can be shown now: blanks wait for what comes behind them.
  std::string add(std::string_view piece);

 private:
  bool begun_ = false;
  std::string blanks_;
};

/// Tells a question's stages as one text after another: the answer's stage, or an early answer that
/// is taken, as it is, the others as
/// lines "recall: ..." and "analyze (B): ...". Of branches, which are written at the same time, the
/// first is told while it is written and the others behind it.
class Narrator : public PipelineListener {
 public:
  enum class Part : std::uint8_t { reasoning, content };
  using Sink = std::function<void(Part, std::string_view)>;

  Narrator(const Program& program, Sink sink);

  void on_stage_begin(const std::string& stage, const std::vector<std::string>& options) override;
  void on_text(const std::string& stage, int branch, std::string_view piece) override;
  void on_stage_end(const std::vector<StageRecord>& records) override;

 private:
  bool is_answer(const std::string& stage) const { return stage == answer_stage_; }

  std::string answer_stage_;
  Sink sink_;
  TrimmedText text_;  // of the first branch of the stage at hand
};

}  // namespace litestage::serve
