#include "offline/budget_search.h"

#include <algorithm>
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
    bool going_on = run_full() && run_start();
    if (going_on) order_stages();
    for (std::size_t i = 0; going_on && i < order_.size(); ++i)
      going_on = sweep(order_[i]);
    result_.interrupted = !going_on;
    return std::move(result_);
  }

 private:
  /// The full model's answers and time. @return false when the user asked to stop, as below
  bool run_full() {
    std::vector<Trial> trials;
    SearchProgress shown{"", "", 0, 1, 0, world_.question_count(), 0, 0};
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

  /// A stage's candidates behind the first one, in the order in which they are run.
  std::vector<int> candidate_order(std::size_t stage) const {
    const std::vector<Candidate>& candidates = stages_[stage].candidates;
    std::vector<int> order(candidates.size() - 1);
    std::iota(order.begin(), order.end(), 1);
    std::erase(order, base_.choice[stage]);
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
    const bool going_on = damage_buys_time(begin) ? halve(stage, begin) : run_all(stage, begin);
    const auto best = fastest(std::span(result_.sweeps).subspan(begin));
    choose(result_, begin + *best);  // the first one is always accepted
    base_ = result_.sweeps[begin + *best];
    return going_on;
  }

  bool run_all(std::size_t stage, std::size_t begin) {
    for (std::size_t i = begin + 1; i < result_.sweeps.size(); ++i) {
      if (may_win(stage, i, begin) && !try_candidate(stage, i, begin)) return false;
    }
    return true;
  }

  /// Whether a sweep's candidates, fastest first, are many, and each does less damage than the one
  /// before: as masks on one front do, and not the paper's or rules for ending texts.
  bool damage_buys_time(std::size_t begin) const {
    constexpr std::size_t MANY = 5;
    const auto candidates = std::span(result_.sweeps).subspan(begin + 1);
    const auto does_no_less = [](const SweepRecord& faster, const SweepRecord& slower) {
      return !(faster.damage > slower.damage);  // NaN too
    };
    return options_.method == SearchMethod::latency && candidates.size() >= MANY &&
           std::ranges::adjacent_find(candidates, does_no_less) == candidates.end();
  }

  /// Begins in the middle: one that loses too much speaks against all that do more damage, one that
  /// does not leaves only the faster ones to be tried.
  bool halve(std::size_t stage, std::size_t begin) {
    std::size_t first = begin + 1;
    std::size_t last = result_.sweeps.size();
    while (first < last) {
      const std::size_t middle = first + (last - first) / 2;
      const bool runs = may_win(stage, middle, begin);
      if (runs && !try_candidate(stage, middle, begin)) return false;
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

  bool try_candidate(std::size_t stage, std::size_t index, std::size_t begin) {
    SweepRecord& record = result_.sweeps[index];
    SearchProgress shown;
    shown.stage = record.stage;
    shown.candidate = stages_[stage].candidates[static_cast<std::size_t>(record.candidate)].label;
    const auto run = [](const SweepRecord& tried) { return tried.questions > 0; };
    shown.candidates_done =
        static_cast<int>(std::ranges::count_if(std::span(result_.sweeps).subspan(begin + 1), run));
    shown.candidates = static_cast<int>(stages_[stage].candidates.size());
    shown.questions = world_.question_count();
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
  SweepRecord base_;                // what is chosen so far, as the next sweep's first record
};

}  // namespace

SearchResult budget_search(const std::vector<StageCandidates>& stages, SearchWorld& world,
                           const SearchOptions& options,
                           const std::function<void(const SearchProgress&)>& progress) {
  return BudgetSearch(stages, world, options, progress).run();
}

}  // namespace litestage
