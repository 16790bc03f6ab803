#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <tuple>

#include "litestage/decoder.h"
#include "litestage/pipeline.h"
#include "serve/scheduler.h"
#include "serve/served_model.h"
#include "serve/text_request.h"

namespace litestage::serve {

/// A program as one request wants it run.
struct Way {
  const Program* program = nullptr;
  const Plan* plan = nullptr;  ///< null: nothing is left out
  bool exit_rules = true;      ///< those of the plan

  bool operator<(const Way& other) const {
    return std::tie(program, plan, exit_rules) <
           std::tie(other.program, other.plan, other.exit_rules);
  }
};

/// One thread's decoder, the pipelines it keeps for the next questions, and the last conversation
/// with the bare model.
class Worker {
 public:
  Worker(int index, Decoder decoder, Scheduler& scheduler);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  const Model& model() const { return decoder_.model(); }
  int context() const { return decoder_.options().context; }

  /// @throws UserError when the question does not fit the program or the context
  void check(const Way& way, const Question& question);

  /// Answers a question in stages.
  /// @throws UserError as `check`; ApiError when the job was cancelled before it began, or others
  /// left no room
  QuestionRecord answer(const Job& job, const Way& way, const Question& question,
                        PipelineListener& listener);

  /// Writes, or scores, plain text. Ends early when the job is cancelled.
  /// @param on_text gets what can be shown while it is written
  /// @throws UserError when prompt and text do not fit the context
  TextResult complete(const Job& job, const TextRequest& request,
                      const std::function<void(std::string_view)>& on_text);

  /// Lets go of everything that is kept in the cache between jobs.
  void drop_kept();
  /// KV cells of that: sequences that share cells count them twice.
  int kept_cells() const;

 private:
  Pipeline& pipeline(const Way& way);
  void reserve(const Job& job, int needed);
  ForwardResult read_prompt(const TextRequest& request, SequenceId sequence, TextResult& result);
  ForwardResult score_prompt(const TextRequest& request, SequenceId sequence, TextResult& result);
  void write(const Job& job, const TextRequest& request, SequenceId sequence,
             const ForwardResult& first, const std::function<void(std::string_view)>& on_text,
             TextResult& result);

  int index_;
  Decoder decoder_;
  Scheduler& scheduler_;
  std::map<Way, std::unique_ptr<Pipeline>> pipelines_;
  SequenceId conversation_ = -1;  // of the last text; -1: none is kept
};

}  // namespace litestage::serve
