#include "offline/budget_search.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>

#include "offline/racing.h"
#include "offline/sweep_choice.h"

namespace litestage {
namespace {

/// Tokens written a question, a stage.
std::vector<double> mean_written(const std::vector<Trial>& trials, std::size_t stages) {
  std::vector<double> means(stages, 0);
  for (const Trial& trial : trials) {
    assert(trial.written.size() == stages);
    for (std::size_t stage = 0; stage < stages; ++stage)
      means[stage] += trial.written[stage] / static_cast<double>(trials.size());
  }
  return means;
}

std::size_t skipped(const Candidate& candidate) {
  return candidate.settings.prefill.skipped_count() + candidate.settings.decode.skipped_count();
}

class BudgetSearch {
 public:
  BudgetSearch(const std::vector<StageCandidates>& stages, SearchWorld& world,
               const SearchOptions& options,
               const std::function<void(const SearchProgress&)>& progress)
      : stages_(stages), world_(world), options_(options), progress_(progress) {
    assert(world.question_count() >= 1);
    assert(options.bound_level > 0.5 && options.bound_level < 1);
    result_.chosen = Choice(stages.size(), 0);
    result_.start = options.start.empty() ? result_.chosen : options.start;
    assert(result_.start.size() == stages.size());
    result_.accuracy.bound_level = options.bound_level;
    result_.choices = std::accumulate(
        stages.begin(), stages.end(), 1.0, [](double product, const StageCandidates& stage) {
          assert(!stage.candidates.empty());
          return product * static_cast<double>(stage.candidates.size());
        });
    result_.choices = result_.choices * (options.other_choices + 1) - 1;
  }

  SearchResult run() {
    for (std::size_t stage = 0; stage < stages_.size(); ++stage)
      runs_behind_ += most_runs(stage);
    bool going_on = run_full() && run_start();
    if (going_on) order_stages();
    for (std::size_t i = 0; going_on && i < order_.size(); ++i) {
      runs_behind_ -= most_runs(order_[i]);
      going_on = sweep(order_[i]);
    }
    result_.interrupted = !going_on;
    return std::move(result_);
  }

 private:
  /// The full model's answers and time. @return false when the user asked to stop, as below
  bool run_full() {
    std::vector<Trial> trials;
    SearchProgress shown{"", "", 0, 1, 0, world_.question_count(), 0, 0};
    shown.candidates_left = runs_behind_ + (result_.start == result_.chosen ? 0 : 1);
    while (shown.questions_done < shown.questions) {
      auto trial = world_.run(result_.chosen, shown.questions_done);
      if (!trial) return false;
      ++shown.questions_done;
      shown.correct += trial->correct ? 1 : 0;
      shown.full_correct = shown.correct;
      full_correct_.push_back(trial->correct);
      trials.push_back(std::move(*trial));
      count_trial(shown);
      result_.accuracy.questions = shown.questions_done;
      result_.accuracy.full_correct = shown.correct;
      result_.accuracy.plan_correct = shown.correct;
    }
    result_.trials_without_racing = shown.questions;
    result_.full_written = mean_written(trials, stages_.size());
    const auto time = world_.time(result_.chosen, trials);
    if (!time) return false;
    assert(time->stage_ms.size() == stages_.size());
    result_.full_time = result_.chosen_time = *time;
    base_.choice = result_.chosen;
    base_.questions = shown.questions;
    base_.correct = shown.correct;
    base_.time = result_.full_time;
    base_.written = result_.full_written;
    base_.verdict = Verdict::slower;
    return true;
  }

  /// The answers and time of what is chosen already.
  bool run_start() {
    if (result_.start == result_.chosen) return true;
    SweepRecord& record = result_.sweeps.emplace_back();
    record.stage = stages_.front().stage;
    record.candidate = result_.start.front();
    record.choice = result_.start;
    record.damage = damage_of(record.choice);
    SearchProgress shown{"start", "", 0, 1, 0, world_.question_count(), 0, 0};
    shown.candidates_left = runs_behind_;
    constexpr double NO_LIMIT = 100;  // it was accepted before
    Race race(full_correct_, NO_LIMIT, 0);
    std::vector<Trial> trials;
    bool going_on = run_questions(record, race, trials, shown);
    if (going_on) record.time = world_.time(record.choice, trials);
    going_on = record.time.has_value();
    record.verdict = going_on ? Verdict::slower : Verdict::not_run;
    record.written = mean_written(trials, stages_.size());
    if (going_on) choose(result_, 0);
    base_ = record;
    result_.sweeps.clear();  // each sweep begins with it
    return going_on;
  }

  /// The stages that have a choice, slowest first.
  void order_stages() {
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      if (stages_[stage].candidates.size() > 1) order_.push_back(stage);
    }
    const std::vector<double>& ms = result_.full_time.stage_ms;
    std::ranges::stable_sort(order_, [&](std::size_t a, std::size_t b) { return ms[a] > ms[b]; });
    for (const std::size_t stage : order_)
      result_.stage_order.push_back(stages_[stage].stage);
  }

  /// A stage's candidates behind the first one and what the search goes on from, in the order in
  /// which they are run.
  std::vector<int> candidate_order(std::size_t stage) const {
    const std::vector<Candidate>& candidates = stages_[stage].candidates;
    std::vector<int> order(candidates.size() - 1);
    std::iota(order.begin(), order.end(), 1);
    std::erase(order, result_.start[stage]);
    std::ranges::stable_sort(order, [&](int left, int right) {
      const Candidate& a = candidates[static_cast<std::size_t>(left)];
      const Candidate& b = candidates[static_cast<std::size_t>(right)];
      return options_.method == SearchMethod::paper ? skipped(a) < skipped(b)
                                                    : a.predicted_ms < b.predicted_ms;
    });
    return order;
  }

  bool sweep(std::size_t stage) {
    const std::size_t begin = result_.sweeps.size();
    base_.stage = stages_[stage].stage;
    base_.candidate = base_.choice[stage];
    result_.sweeps.push_back(base_);
    for (const int candidate : candidate_order(stage)) {
      SweepRecord& record = result_.sweeps.emplace_back();
      record.stage = base_.stage;
      record.candidate = candidate;
      record.choice = base_.choice;
      record.choice[stage] = candidate;
      record.damage = damage_of(record.choice);
    }
    const bool going_on = damage_buys_time(stage) ? halve(stage, begin) : run_all(stage, begin);
    const auto best = fastest(std::span(result_.sweeps).subspan(begin));
    choose(result_, begin + *best);  // the first one is always accepted
    base_ = result_.sweeps[begin + *best];
    return going_on;
  }

  bool run_all(std::size_t stage, std::size_t begin) {
    for (std::size_t i = begin + 1; i < result_.sweeps.size(); ++i) {
      const auto behind = static_cast<int>(result_.sweeps.size() - i - 1);
      if (may_win(stage, i, begin) && !try_candidate(stage, i, begin, behind)) return false;
    }
    return true;
  }

  /// Whether a stage's candidates, fastest first, are many, and each does less damage than the one
  /// before: as masks on one front do, and not the paper's or rules for ending texts.
  bool damage_buys_time(std::size_t stage) const {
    constexpr std::size_t MANY = 5;
    const std::vector<int> order = candidate_order(stage);
    const auto damage = [&](int candidate) {
      return stages_[stage].candidates[static_cast<std::size_t>(candidate)].damage;
    };
    const auto does_no_less = [&](int faster, int slower) {
      return !(damage(faster) > damage(slower));  // NaN too
    };
    return options_.method == SearchMethod::latency && order.size() >= MANY &&
           std::ranges::adjacent_find(order, does_no_less) == order.end();
  }

  /// Candidates that halving may run out of so many.
  static int most_halvings(std::size_t candidates) {
    return static_cast<int>(std::bit_width(candidates));
  }

  /// Candidates that a stage's sweep may run.
  int most_runs(std::size_t stage) const {
    const std::size_t candidates = candidate_order(stage).size();
    return damage_buys_time(stage) ? most_halvings(candidates) : static_cast<int>(candidates);
  }

  /// Begins in the middle: one that loses too much speaks against all that do more damage, one that
  /// does not leaves only the faster ones to be tried.
  bool halve(std::size_t stage, std::size_t begin) {
    std::size_t first = begin + 1;
    std::size_t last = result_.sweeps.size();
    while (first < last) {
      const std::size_t middle = first + (last - first) / 2;
      const bool runs = may_win(stage, middle, begin);
      const int behind = most_halvings(std::max(middle - first, last - middle - 1));
      if (runs && !try_candidate(stage, middle, begin, behind)) return false;
      if (!runs || result_.sweeps[middle].verdict == Verdict::slower) {
        last = middle;
      } else {
        first = middle + 1;
      }
    }
    return true;
  }

  double damage_of(const Choice& choice) const {
    double sum = 0;
    for (std::size_t stage = 0; stage < choice.size(); ++stage)
      sum += stages_[stage].candidates[static_cast<std::size_t>(choice[stage])].damage;
    return sum;
  }

  /// Whether a candidate is worth running, by its prediction (see budget_search).
  bool may_win(std::size_t stage, std::size_t record, std::size_t begin) const {
    if (options_.method == SearchMethod::paper) return true;
    const std::vector<Candidate>& candidates = stages_[stage].candidates;
    const double predicted_first =
        candidates[static_cast<std::size_t>(base_.choice[stage])].predicted_ms;
    if (predicted_first <= 0) return true;  // nothing to scale by
    const double of_stage = base_.time->stage_ms[stage];
    const auto index = static_cast<std::size_t>(result_.sweeps[record].candidate);
    const double predicted =
        base_.time->ms - of_stage + candidates[index].predicted_ms / predicted_first * of_stage;
    const auto done = std::span(result_.sweeps).subspan(begin);
    return predicted < done[*fastest(done)].time->ms;
  }

  /// @param behind candidates of this sweep that may be run after it
  bool try_candidate(std::size_t stage, std::size_t index, std::size_t begin, int behind) {
    SweepRecord& record = result_.sweeps[index];
    SearchProgress shown;
    shown.stage = record.stage;
    shown.candidate = stages_[stage].candidates[static_cast<std::size_t>(record.candidate)].label;
    const auto run = [](const SweepRecord& tried) { return tried.questions > 0; };
    shown.candidates_done =
        static_cast<int>(std::ranges::count_if(std::span(result_.sweeps).subspan(begin + 1), run));
    shown.candidates = static_cast<int>(stages_[stage].candidates.size());
    shown.questions = world_.question_count();
    shown.candidates_left = runs_behind_ + behind;
    result_.trials_without_racing += shown.questions;

    Race race(full_correct_, options_.max_loss, options_.racing_error);
    std::vector<Trial> trials;
    const bool going_on = run_questions(record, race, trials, shown);
    record.written = mean_written(trials, stages_.size());
    if (!going_on) return false;
    if (race.out()) {
      record.verdict =
          record.questions < shown.questions ? Verdict::raced_out : Verdict::over_limit;
      return true;
    }
    record.time = world_.time(record.choice, trials);
    if (record.time) record.verdict = Verdict::slower;  // until the sweep is at its end
    return record.time.has_value();
  }

  /// Runs questions until there are none left or the race is over.
  bool run_questions(SweepRecord& record, Race& race, std::vector<Trial>& trials,
                     SearchProgress& shown) {
    while (record.questions < shown.questions && !race.out()) {
      auto trial = world_.run(record.choice, record.questions);
      if (!trial) return false;
      race.add(trial->correct);
      trials.push_back(std::move(*trial));
      record.questions = race.counts().questions;
      record.correct = race.correct();
      record.lost = race.counts().lost;
      record.gained = race.counts().gained;
      shown.questions_done = record.questions;
      shown.correct = record.correct;
      shown.full_correct = race.full_correct();
      count_trial(shown);
    }
    return true;
  }

  void count_trial(const SearchProgress& shown) {
    ++result_.trials;
    if (progress_) progress_(shown);
  }

  const std::vector<StageCandidates>& stages_;
  SearchWorld& world_;
  const SearchOptions& options_;
  const std::function<void(const SearchProgress&)>& progress_;
  SearchResult result_;
  std::vector<bool> full_correct_;
  std::vector<std::size_t> order_;  // indices into stages_
  int runs_behind_ = 0;             // candidates that the stages not swept yet may run
  SweepRecord base_;                // what is chosen so far, as the next sweep's first record
};

}  // namespace

SearchResult budget_search(const std::vector<StageCandidates>& stages, SearchWorld& world,
                           const SearchOptions& options,
                           const std::function<void(const SearchProgress&)>& progress) {
  return BudgetSearch(stages, world, options, progress).run();
}

}  // namespace litestage
