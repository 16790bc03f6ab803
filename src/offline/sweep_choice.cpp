#include "offline/sweep_choice.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "eval/paired_accuracy.h"

namespace litestage {
namespace {

/// Whether a choice is a step on the way from `start` to `goal`: equal to the goal on the stages
/// swept by then, to the start on the others.
bool is_on_the_way(const Choice& choice, const Choice& start, const Choice& goal,
                   const std::set<std::size_t>& swept) {
  for (std::size_t stage = 0; stage < goal.size(); ++stage) {
    if (choice[stage] != (swept.contains(stage) ? goal[stage] : start[stage])) return false;
  }
  return true;
}

/// The stage that a sweep is about, told from the choices of its records: the one they differ in.
std::optional<std::size_t> swept_stage(std::span<const SweepRecord> sweep) {
  for (std::size_t stage = 0; stage < sweep.front().choice.size(); ++stage) {
    for (const SweepRecord& record : sweep) {
      if (record.choice[stage] != sweep.front().choice[stage]) return stage;
    }
  }
  return std::nullopt;
}

void mark_verdicts(SearchResult& result) {
  std::vector<SweepRecord>& sweeps = result.sweeps;
  std::set<std::size_t> swept;
  for (std::size_t begin = 0; begin < sweeps.size();) {
    std::size_t end = begin;
    while (end < sweeps.size() && sweeps[end].stage == sweeps[begin].stage)
      ++end;
    const std::span<SweepRecord> sweep(&sweeps[begin], end - begin);
    if (const auto stage = swept_stage(sweep)) swept.insert(*stage);
    for (SweepRecord& record : sweep) {
      if (!is_accepted(record)) continue;
      record.verdict = is_on_the_way(record.choice, result.start, result.chosen, swept)
                           ? Verdict::chosen
                           : Verdict::slower;
    }
    begin = end;
  }
}

/// An upper end of the true loss that holds for all choices at once.
double loss_bound(const SearchResult& result, const SweepRecord& record) {
  const bool is_full = std::ranges::all_of(record.choice, [](int index) { return index == 0; });
  if (is_full) return 0;
  return loss_upper_bound({record.questions, record.lost, record.gained},
                          (1 - result.accuracy.bound_level) / result.choices);
}

}  // namespace

std::string_view to_string(SearchMethod method) {
  return method == SearchMethod::paper ? "paper" : "latency";
}

std::string_view to_string(Verdict verdict) {
  static constexpr std::array<std::string_view, 6> NAMES = {"chosen",    "slower",  "over_limit",
                                                            "raced_out", "not_run", "refuted"};
  return NAMES[static_cast<std::size_t>(verdict)];
}

bool is_accepted(const SweepRecord& record) {
  return record.time && (record.verdict == Verdict::chosen || record.verdict == Verdict::slower);
}

std::optional<std::size_t> fastest(std::span<const SweepRecord> records) {
  const auto rank = [&](std::size_t i) {
    const double damage = records[i].damage;
    return std::tuple(records[i].time->ms,
                      std::isnan(damage) ? std::numeric_limits<double>::infinity() : damage, i);
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (is_accepted(records[i]) && (!best || rank(i) < rank(*best))) best = i;
  }
  return best;
}

void choose(SearchResult& result, std::size_t index) {
  const SweepRecord& record = result.sweeps[index];
  assert(is_accepted(record));
  result.chosen = record.choice;
  result.chosen_time = *record.time;
  result.accuracy.plan_correct = record.correct;
  result.accuracy.lost = record.lost;
  result.accuracy.gained = record.gained;
  result.accuracy.loss_bound = loss_bound(result, record);
  mark_verdicts(result);
}

std::vector<Choice> accepted_choices(const SearchResult& result) {
  std::vector<Choice> choices = {Choice(result.chosen.size(), 0)};
  for (const SweepRecord& record : result.sweeps) {
    const bool is_new = std::ranges::find(choices, record.choice) == choices.end();
    if (is_accepted(record) && is_new) choices.push_back(record.choice);
  }
  return choices;
}

std::optional<std::string> refute(SearchResult& result) {
  const Choice refuted = result.chosen;
  if (refuted == result.start) return std::nullopt;
  std::string stage;
  std::size_t before = 0;  // the first sweep begins at the start
  for (std::size_t i = 0; i < result.sweeps.size(); ++i) {
    const SweepRecord& record = result.sweeps[i];
    if (record.verdict != Verdict::chosen) continue;
    if (record.choice != refuted) {
      before = i;
    } else if (stage.empty()) {
      stage = record.stage;  // the sweeps behind it began at this choice and stayed there
    }
  }
  // What was tried on top of that step in later sweeps falls with it.
  const Choice& kept = result.sweeps[before].choice;
  const auto step =
      static_cast<std::size_t>(std::ranges::mismatch(refuted, kept).in1 - refuted.begin());
  for (SweepRecord& record : result.sweeps) {
    if (!is_accepted(record) || record.choice[step] != refuted[step]) continue;
    record.verdict = Verdict::refuted;
    record.time.reset();
  }
  choose(result, before);
  return stage;
}

void repick(SearchResult& result, const std::map<Choice, TimedChoice>& times) {
  result.full_time = times.at(Choice(result.chosen.size(), 0));
  for (SweepRecord& record : result.sweeps) {
    if (is_accepted(record)) record.time = times.at(record.choice);
  }
  if (const auto best = fastest(result.sweeps)) {
    choose(result, *best);
  } else {
    result.chosen_time = result.full_time;
  }
}

}  // namespace litestage
