#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "app/eval_models.h"
#include "app/eval_run.h"
#include "app/eval_tasks.h"
#include "eval/eval_record.h"
#include "litestage/pipeline.h"
#include "skip/skip_policy.h"
#include "stage/side_by_side.h"

namespace litestage::app {

/// An arm with all that answers its questions. It has a decoder, and so a KV cache, of its own:
/// in one cache the arms would attend across each other's cells, and cost each other time.
class EvalRunner {
 public:
  EvalRunner(EvalArm arm, EvalModel model, const DecoderOptions& decoder, Program program,
             std::unique_ptr<SkipPolicy> policy, PipelineOptions options);

  const EvalArm& arm() const { return arm_; }
  Pipeline& pipeline() { return *pipeline_; }

  /// Answers questions several at a time, on a pool that is there for the call alone: all arms'
  /// pools together would take too much memory.
  void answer(std::span<const Question* const> questions, int at_once, const TakeAnswer& take,
              const std::atomic<bool>* stop) const;

 private:
  EvalArm arm_;
  EvalModel model_;
  std::unique_ptr<SkipPolicy> policy_;  // the pipelines' schedules may go on using it
  PipelineOptions options_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<Pipeline> pipeline_;
};

/// Makes the arms: each policy on each task, `litestage:PLAN` on the tasks whose program the plan
/// is for. Warns on stderr of what makes a plan less fit, and where questions are among those a
/// policy was tuned on.
/// @param warns false for processes beside the first one, which warns and refuses for all
/// @throws UserError for a policy that cannot be made: a plan for another model or program,
/// statistics that are not there, a model that is missing
std::vector<EvalRunner> make_arms(const EvalSettings& settings,
                                  const std::vector<LoadedTask>& tasks, bool warns);

}  // namespace litestage::app
