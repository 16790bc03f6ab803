#include "offline/plan_search.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <ggml.h>

#include "base/sha256.h"
#include "base/utc_time.h"
#include "eval/paired_accuracy.h"
#include "litestage/version.h"
#include "offline/answers_ahead.h"
#include "offline/calibration_part.h"
#include "offline/damage_meter.h"
#include "offline/decoder_timing.h"
#include "offline/early_search.h"
#include "offline/exit_candidates.h"
#include "offline/plan_confirmation.h"
#include "offline/plan_search_input.h"
#include "offline/program_world.h"
#include "offline/rereading.h"
#include "offline/shared_answers.h"
#include "offline/stage_trace.h"
#include "stage/conversation.h"

namespace litestage {
namespace {

using TellProgress = std::function<void(const PlanSearchProgress&)>;

PlanSearchOptions with_kv_of(const Plan* start, PlanSearchOptions options) {
  if (start != nullptr) options.kv_reuse = start->kv_reuse;
  return options;
}

void add_new(const std::vector<std::string>& from, std::vector<std::string>& to) {
  const std::set<std::string> known(to.begin(), to.end());
  std::ranges::copy_if(from, std::back_inserter(to),
                       [&](const std::string& item) { return !known.contains(item); });
}

/// One search from candidates to plan.
class PlanSearch {
 public:
  PlanSearch(const PlanSearchInput& input, const PlanSearchOptions& options,
             const TellProgress& progress, const std::atomic<bool>* stop)
      : input_(input),
        options_(with_kv_of(input.start, options)),
        progress_(progress),
        stop_(stop),
        model_hash_(model_hash(input.decoder.model())),
        store_(input.memo, model_hash_, input.program.hash, input.engine) {
    check_search_input(input, options.search.method, model_hash_);
    ahead_ = answers_ahead();
    const std::size_t count = input.questions.size();
    const auto fresh = std::min(
        count - 1, static_cast<std::size_t>(static_cast<double>(count) * options.confirm_share));
    const auto middle = input.questions.end() - static_cast<std::ptrdiff_t>(fresh);
    seen_.assign(input.questions.begin(), middle);
    fresh_.assign(middle, input.questions.end());
  }

  PlanSearchResult run() {
    PlanSearchResult result;
    result.interrupted = !run_steps(result);
    return result;
  }

 private:
  /// @return false when it was stopped, as below
  bool run_steps(PlanSearchResult& result) {
    auto masks = input_.start != nullptr ? measure_start() : search_masks();
    if (!masks) return false;
    result.masks = std::move(*masks);
    const SearchFile* last = &result.masks;
    if (options_.early_exit && input_.start == nullptr) {
      result.exits = search_exits(result.masks);
      if (!result.exits) return false;
      last = &*result.exits;
    }
    result.plan = last->plan;
    const bool beyond_paper = options_.search.method != SearchMethod::paper;
    if (options_.early_answers && beyond_paper && !search_early(result, *last)) return false;
    const auto fresh = [&](const Plan& plan, const std::string& name) {
      return answers(plan, name);
    };
    if (!fresh_.empty() && !confirm_plan(result, options_.search, fresh)) return false;
    if (!time_plan(result.plan)) return false;
    result.masks.plan = result.plan;
    if (result.exits) result.exits->plan = result.plan;
    return true;
  }

  std::optional<SearchFile> search_masks() {
    const auto candidates = mask_candidates();
    if (candidates.empty()) return std::nullopt;
    return search("masks", candidates, options_.search);
  }

  /// Answers and time of what a plan has already, as the one choice beside the full model.
  std::optional<SearchFile> measure_start() {
    std::vector<StageCandidates> candidates;
    for (const auto& [stage, settings] : input_.start->stages) {
      const Candidate whole{{}, "nothing left out", 0, 0};
      const Candidate before{settings, "as in the plan before", 0, std::nan("")};
      candidates.push_back({stage, {whole, before}});
    }
    SearchOptions options = options_.search;
    options.start = Choice(candidates.size(), 1);
    return search("plan before", candidates, options);
  }

  void tell(const PlanSearchProgress& progress) const {
    if (progress_) progress_(progress);
  }
  bool stopped() const { return stop_ != nullptr && stop_->load(); }

  std::unique_ptr<AnswersAhead> answers_ahead() {
    if (input_.pool == nullptr) return nullptr;
    if (input_.ranks == nullptr) {
      return std::make_unique<PoolAnswers>(*input_.pool, options_.parallel, input_.program, store_);
    }
    const SharedSearch shared{input_.program, input_.questions, model_hash_,
                              input_.decoder.model().layer_count(), input_.engine};
    return std::make_unique<SharedAnswers>(*input_.pool, options_.parallel, *input_.ranks, shared,
                                           store_);
  }

  ProgramWorld world(std::vector<StageCandidates> candidates,
                     const std::vector<Question>& questions) {
    return {input_.decoder, input_.program,
            questions,      std::move(candidates),
            store_,         {options_.kv_reuse, options_.timer, machine_name(), ahead_.get()},
            stop_};
  }

  std::vector<StageCandidates> mask_candidates() {
    if (options_.search.method == SearchMethod::paper)
      return cosine_candidates(*input_.importance, options_.most_skipped);
    if (!record_texts()) return {};
    Rereading rereading(*input_.importance, traces_,
                        Conversation(input_.program, input_.decoder.model().tokenizer()).preamble(),
                        options_.kv_reuse);
    int measured = 0;
    return latency_candidates(
        *input_.importance,
        [&](const std::string& stage, const StageSettings& settings) {
          return damage(stage, settings);
        },
        options_.candidates,
        [&](const std::string& what) {
          tell({"damage", what, ++measured, 0, ""});
          return !stopped();
        },
        [&](const std::string& stage, const StageSettings& settings) {
          return rereading.ms(stage, settings);
        });
  }

  /// Damage of a stage under settings, from the store or measured; nothing when it was stopped.
  std::optional<double> damage(const std::string& stage, const StageSettings& settings) {
    const std::string name =
        fmt::format("damage {} {}/{} on questions {}, {} tokens, KV {}", stage,
                    settings.prefill.to_string(), settings.decode.to_string(), calibration_digest(),
                    options_.damage_tokens, to_string(options_.kv_reuse));
    if (const auto known = store_.find_measurement(name); known && known->size() == 1)
      return known->front();
    if (!meter_ && !make_meter()) return std::nullopt;
    const Damage measured = meter_->measure(stage, settings);
    if (measured.tokens == 0) {
      if (stopped()) return std::nullopt;
      return std::nan("");
    }
    store_.store_measurement(name, {measured.kl});
    return measured.kl;
  }

  /// The first questions, whose texts damage is measured on.
  std::span<const Question> calibration() const {
    return std::span(seen_).first(
        std::min(static_cast<std::size_t>(options_.calibration), seen_.size()));
  }

  std::string calibration_digest() const {
    std::string hashes;
    for (const Question& question : calibration())
      hashes += question_hash(question) + "\n";
    return sha256_hex(hashes);
  }

  /// What the full model's stages read and write for them.
  bool record_texts() {
    const TraceMemo memo{&store_, options_.kv_reuse};
    TraceRecorder recorder(input_.decoder, input_.program, memo);
    const std::span<const Question> questions = calibration();
    const int count = static_cast<int>(questions.size());
    if (ahead_) {
      tell({"damage", "texts of the full model", 0, count, ""});
      ahead_->answer(full_model(options_.kv_reuse), questions, stop_);
    }
    for (int question = 0; question < count; ++question) {
      tell({"damage", "texts of the full model", question, count, ""});
      auto more = recorder.record(questions[static_cast<std::size_t>(question)], question, stop_);
      if (!more) return false;
      traces_.insert(traces_.end(), std::make_move_iterator(more->begin()),
                     std::make_move_iterator(more->end()));
    }
    return true;
  }

  bool make_meter() {
    input_.decoder.clear();
    meter_ = std::make_unique<DamageMeter>(input_.decoder,
                                           calibration_part(traces_, options_.damage_tokens));
    return !stopped();
  }

  std::optional<SearchFile> search(const std::string& step,
                                   const std::vector<StageCandidates>& candidates,
                                   const SearchOptions& options) {
    meter_.reset();
    input_.decoder.clear();
    ProgramWorld searched = world(candidates, seen_);
    SearchFile file;
    file.options = options;
    file.stages = candidates;
    file.result = budget_search(candidates, searched, options, [&](const SearchProgress& shown) {
      tell({step,
            shown.stage.empty()
                ? "full model"
                : fmt::format("{} {}/{}: {}", shown.stage, shown.candidates_done + 1,
                              shown.candidates, shown.candidate),
            shown.questions_done, shown.questions,
            fmt::format("right {} (full {})", shown.correct, shown.full_correct),
            shown.questions_left()});
    });
    if (file.result.interrupted) return std::nullopt;
    file.plan = plan_of(file);
    return file;
  }

  /// Generation early exit: each stage's rules are found by replay of what the masks' plan wrote,
  /// and searched like masks.
  std::optional<SearchFile> search_exits(const SearchFile& masks) {
    ProgramWorld planned = world(masks.stages, seen_);
    const auto details = planned.details_of(masks.result.chosen);
    if (!details) return std::nullopt;
    const auto whole_head = planned.whole_head_costs(masks.result.chosen, *details);
    if (!whole_head) return std::nullopt;
    SearchOptions options = options_.search;
    options.start = Choice(masks.stages.size(), 1);
    options.other_choices = masks.result.choices;
    ExitRuleOptions rules = options_.exit;
    rules.as_in_paper = options_.search.method == SearchMethod::paper;
    return search("exit rules",
                  exit_candidates(input_.program, masks, *details, rules, *whole_head), options);
  }

  Plan plan_of(const SearchFile& file) const {
    Plan plan;
    plan.model_name = input_.model_name;
    plan.model_hash = model_hash_;
    plan.layers = input_.decoder.model().layer_count();
    plan.program = input_.program_name;
    plan.program_hash = input_.program.hash;
    plan.kv_reuse = options_.kv_reuse;
    plan.stages = file.settings(file.result.chosen);
    plan.accuracy = file.result.accuracy;
    plan.origin.method = std::string(to_string(options_.search.method));
    plan.origin.max_loss = options_.search.max_loss;
    plan.origin.litestage_version = litestage_version();
    plan.origin.ggml_version = ggml_version();
    plan.origin.machine = machine_name();
    plan.origin.threads = input_.decoder.options().threads;
    plan.origin.head = head_in_use(input_.decoder);
    plan.origin.seed = input_.seed;
    plan.origin.question_set = input_.question_set;
    for (const Question& question : input_.questions)
      plan.origin.questions.push_back(question_hash(question));
    if (input_.start != nullptr) add_new(input_.start->origin.questions, plan.origin.questions);
    plan.origin.created = utc_now();
    return plan;
  }

  /// Early answers on top of masks and exit rules, under the same limit.
  bool search_early(PlanSearchResult& result, const SearchFile& last) {
    input_.decoder.clear();
    const EarlySearchInput input{
        {input_.decoder, ahead_.get()}, input_.program, seen_, result.plan, store_};
    const auto sweep = search_early_answers(
        input, {options_.search.max_loss, EarlySearchOptions{}.timed_questions},
        [&](const EarlySearchProgress& at) {
          tell({"early answers", at.what, at.done, at.total,
                at.right ? fmt::format("right {}", *at.right) : ""});
        },
        stop_);
    if (!sweep) return false;
    result.masks.early = *sweep;
    if (sweep->chosen == 0) return true;
    const EarlyCandidate& chosen = sweep->candidates[sweep->chosen];
    result.plan.early = chosen.early;
    MeasuredAccuracy& accuracy = *result.plan.accuracy;
    accuracy.plan_correct = chosen.correct;
    accuracy.lost = chosen.lost;
    accuracy.gained = chosen.gained;
    // The best of many on the same questions, as in budget_search: each bears its part of the
    // error.
    const double choices =
        std::max(1.0, last.result.choices) * static_cast<double>(sweep->candidates.size());
    accuracy.loss_bound = loss_upper_bound({accuracy.questions, accuracy.lost, accuracy.gained},
                                           (1 - accuracy.bound_level) / choices);
    return true;
  }

  /// Which of the questions that the search has not seen are answered right by a plan.
  std::optional<std::vector<bool>> answers(const Plan& plan, const std::string& name) {
    input_.decoder.clear();
    std::vector<bool> correct;
    int right = 0;
    const auto note = [&](int done, const QuestionRecord& record) {
      correct.push_back(is_correct(record.question, record.answer));
      right += correct.back() ? 1 : 0;
      tell({"fresh questions", name, done, static_cast<int>(fresh_.size()),
            fmt::format("right {}", right)});
    };
    const bool done = answer_all({input_.decoder, ahead_.get()}, input_.program, plan, store_,
                                 fresh_, note, stop_)
                          .has_value();
    if (!done) return std::nullopt;
    return correct;
  }

  bool time_plan(Plan& plan) {
    if (options_.timed_questions == 0) return true;
    input_.decoder.clear();
    plan.latency = measure_latency(
        input_.decoder, input_.program, plan, input_.questions, options_.timed_questions,
        options_.timed_repeats,
        [&](int done, int total) {
          tell({"latency", "full model and plan", done, total, ""});
        },
        stop_);
    return plan.latency.has_value();
  }

  const PlanSearchInput& input_;
  const PlanSearchOptions options_;
  const TellProgress& progress_;
  const std::atomic<bool>* stop_;
  std::string model_hash_;
  StageStore store_;
  std::unique_ptr<AnswersAhead> ahead_;  // null: questions are answered one at a time
  std::vector<Question> seen_;           // the search's
  std::vector<Question> fresh_;          // the plan is confirmed on
  std::vector<StageTrace> traces_;       // of the first questions, by the full model
  std::unique_ptr<DamageMeter> meter_;
};

}  // namespace

PlanSearchResult search_plan(const PlanSearchInput& input, const PlanSearchOptions& options,
                             const TellProgress& progress, const std::atomic<bool>* stop) {
  return PlanSearch(input, options, progress, stop).run();
}

}  // namespace litestage
