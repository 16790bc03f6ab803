#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "litestage/decoder.h"
#include "litestage/pipeline.h"
#include "offline/answers_ahead.h"
#include "offline/budget_search.h"
#include "offline/fresh_tokens.h"
#include "offline/stage_recorder.h"
#include "offline/stage_store.h"
#include "offline/stage_timer.h"

namespace litestage {

/// What the names of stored times begin with: they hold on one machine, with so many threads.
std::string times_on(const std::string& machine, int threads);

/// One question under a choice, with all that is known of it.
struct TrialDetail {
  Trial trial;
  std::vector<StageLog> stages;
};

/// The world a search works in: real questions, a real model, and a store that remembers.
///
/// Stages whose call was met before come from the store. Where questions are answered ahead,
/// several at a time (answers_ahead.h), greedy texts can part from those written alone where two
/// tokens are as good as equal, for the full model as for any choice.
class ProgramWorld : public SearchWorld {
 public:
  struct Options {
    KvReuse kv_reuse = KvReuse::whole;
    StageTimerOptions timer;
    std::string machine;            ///< part of the measurements' names
    AnswersAhead* ahead = nullptr;  ///< into the same store; null: questions are answered one at a
                                    ///< time
  };

  /// @param decoder, store, stop must outlive the world
  ProgramWorld(Decoder& decoder, Program program, std::vector<Question> questions,
               std::vector<StageCandidates> candidates, StageStore& store, Options options,
               const std::atomic<bool>* stop = nullptr);
  ~ProgramWorld() override;

  int question_count() const override;
  std::optional<Trial> run(const Choice& choice, int question) override;
  std::optional<TimedChoice> time(const Choice& choice, const std::vector<Trial>& trials) override;

  /// The same as run(), with the stages' tokens and confidences.
  std::optional<TrialDetail> run_in_detail(const Choice& choice, int question);

  /// The same for all questions.
  std::optional<std::vector<TrialDetail>> details_of(const Choice& choice);

  /// For each stage what its writing takes under a choice with the whole head over what it takes as
  /// it is run: above 1 where it looks at a preview of the head. Nothing when the user asked to
  /// stop.
  /// @param details of all questions under the choice
  std::optional<std::vector<double>> whole_head_costs(const Choice& choice,
                                                      const std::vector<TrialDetail>& details);

  /// For each stage the settings a choice stands for.
  std::vector<std::pair<std::string, StageSettings>> settings_of(const Choice& choice) const;

 private:
  struct ChosenPipeline;

  Plan plan_of(const Choice& choice) const;
  void look_ahead(const Choice& choice, int question);
  Pipeline& pipeline_for(const Choice& choice);
  bool read_full();
  HeadUse head_of(std::size_t stage, const Choice& choice) const;
  std::optional<StageRates> rates_of(std::size_t stage, const Choice& choice,
                                     const std::vector<TrialDetail>& details, HeadUse head);
  std::optional<StageRates> rates(std::size_t stage, int candidate, const StageShape& shape);
  std::optional<StageRates> stored_or_timed(std::size_t stage, int candidate,
                                            const StageShape& shape,
                                            const std::optional<StageRates>& base);

  Decoder& decoder_;
  Program program_;
  std::vector<Question> questions_;
  std::vector<StageCandidates> candidates_;
  StageStore& store_;
  Options options_;
  const std::atomic<bool>* stop_;
  std::vector<Token> preamble_;
  std::optional<std::vector<TrialDetail>> full_;  // of all questions, once they were asked for
  StageRecorder recorder_;
  std::unique_ptr<ChosenPipeline> chosen_;
  std::map<Choice, int> ahead_;  // so many first questions were answered ahead
};

}  // namespace litestage
