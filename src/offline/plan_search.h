#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ranks.h"
#include "litestage/decoder.h"
#include "litestage/decoder_pool.h"
#include "litestage/program.h"
#include "litestage/question.h"
#include "offline/budget_search.h"
#include "offline/exit_replay.h"
#include "offline/importance.h"
#include "offline/search_json.h"
#include "offline/stage_timer.h"

namespace litestage {

struct PlanSearchOptions {
  SearchOptions search;
  LatencyCandidateOptions candidates;
  int most_skipped = 12;  ///< K of the paper's sweep, sublayers
  KvReuse kv_reuse = KvReuse::whole;
  /// Share of the questions, the last ones, that the search never sees: the plan's accuracy and
  /// bound are measured on them. With 0 those of the search stand in the plan, which has chosen by
  /// them.
  double confirm_share = 1.0 / 3;
  int calibration = 16;     ///< first questions, whose texts damage is measured on
  int damage_tokens = 384;  ///< a stage, a measurement
  bool early_exit = true;   ///< calibrate generation early exit after the masks
  ExitRuleOptions exit{.count = 2};
  bool early_answers = true;  ///< search early answers, by method latency, where the program has
                              ///< them, after all else
  StageTimerOptions timer;
  int timed_questions = 8;  ///< for the plan's latency: really run, full model and plan in turn
  int timed_repeats = 2;
  int parallel = 8;  ///< questions answered at the same time, where there is a pool, by each rank
};

/// What a search works on.
struct PlanSearchInput {
  Decoder& decoder;
  const Program& program;
  const std::vector<Question>& questions;
  const Importance* importance;  ///< not needed where the search goes on from a plan
  std::string memo;              ///< path of the stage store
  std::string model_name;        ///< as the plan is to name it
  std::string program_name;      ///< name or path, as the plan is to name it
  std::string question_set;
  std::uint32_t seed = 0;
  DecoderPool* pool = nullptr;  ///< answers several questions at a time; null: the decoder does
  Ranks* ranks = nullptr;       ///< share the questions (shared_answers.h), each with a pool
  /// A plan to go on from: its masks, rules and use of KV are kept, early answers are searched
  /// anew, and all of it is measured on these questions. Null: everything is searched.
  const Plan* start = nullptr;
  /// What else decides answers and times, as the memo is to know it (stage_store.h).
  std::string engine = {};
};

struct PlanSearchProgress {
  /// "damage", "masks", "plan before", "exit rules", "early answers", "fresh questions", "latency"
  std::string step;
  std::string what;  ///< stage and candidate
  int done = 0;      ///< questions of this candidate, or measurements
  int total = 0;     ///< 0: not known
  std::string note;  ///< accuracy so far
  /// Questions that all of this step may still ask, this candidate's among them: no more than so
  /// many. Nothing where nobody knows.
  std::optional<long> left = std::nullopt;
};

/// Everything a search leaves: the masks' search, the exit rules' search (absent when there was
/// none) and the plan, which both files hold.
struct PlanSearchResult {
  bool interrupted = false;  ///< nothing below is set; the memo keeps what was done
  SearchFile masks;
  std::optional<SearchFile> exits;
  Plan plan;
};

/// The search for a plan (paper, steps 2 and 3): candidates, masks, exit rules, early answers, and
/// in the end the plan's latency in real runs beside the full model. Everything that takes long
/// goes through the memo, so that a search that was stopped or killed, started anew, does not do it
/// twice.
/// @throws UserError when importance or plan, model, program and questions do not go together
PlanSearchResult search_plan(const PlanSearchInput& input, const PlanSearchOptions& options,
                             const std::function<void(const PlanSearchProgress&)>& progress = {},
                             const std::atomic<bool>* stop = nullptr);

/// What a search of earlier left, to be timed anew.
struct RetimeInput {
  Decoder& decoder;
  const Program& program;
  const std::vector<Question>& questions;  ///< those of the search, in its order
  std::string memo;
  SearchFile masks;
  std::optional<SearchFile> exits;
  std::string engine = {};      ///< the search's
  DecoderPool* pool = nullptr;  ///< answers what the memo lacks; null: one question at a time
};

/// Measures every accepted choice of a search anew, on this machine and with these threads, and
/// chooses again by the accuracies that are known. What the memo lacks is answered again, so that
/// texts are there to be timed. Where that changes the masks, the exit rules,
/// which were found for the old ones, are left out; where it changes either, so are early answers.
/// @throws UserError when the search was for another model or program
PlanSearchResult retime_plan(const RetimeInput& input, const PlanSearchOptions& options,
                             const std::function<void(const PlanSearchProgress&)>& progress = {},
                             const std::atomic<bool>* stop = nullptr);

/// Real runs of the full model and a plan on the same questions, in turn, the order
/// reversed every other time; the speedup is the geometric mean of the questions' ratios with its t
/// interval (base/statistics.h).
/// @param most questions that are asked, the first ones; at least 1
/// @return nothing when it was stopped
std::optional<MeasuredLatency> measure_latency(Decoder& decoder, const Program& program,
                                               const Plan& plan,
                                               const std::vector<Question>& questions, int most,
                                               int repeats,
                                               const std::function<void(int, int)>& progress = {},
                                               const std::atomic<bool>* stop = nullptr);

}  // namespace litestage
