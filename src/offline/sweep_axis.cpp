#include "offline/sweep_axis.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <map>

namespace litestage {
namespace {

// Lengths in the units of the picture.
constexpr double COLUMN = 56;      // of candidates one after the other
constexpr double MARK_WIDTH = 28;  // of candidates side by side
constexpr double EDGE = 28;        // beside the first and the last mark

bool have_same_masks(const StageSettings& a, const StageSettings& b) {
  return a.prefill == b.prefill && a.decode == b.decode;
}

/// By number of sublayers, which of the candidates leave out so many.
using CandidatesByCount = std::map<std::size_t, std::vector<std::size_t>>;

/// Units that one sublayer more has to take so that no marks of two numbers overlap.
double units_a_sublayer(const CandidatesByCount& by_count) {
  double units = 0;
  for (auto at = by_count.begin(), next = std::next(at); next != by_count.end(); at = next++) {
    const auto marks = static_cast<double>(at->second.size() + next->second.size()) / 2;
    units = std::max(units, MARK_WIDTH * marks / static_cast<double>(next->first - at->first));
  }
  return units;
}

/// Of the marks of one number that stand on one side of it.
double half_width(const std::vector<std::size_t>& candidates) {
  return MARK_WIDTH * (static_cast<double>(candidates.size()) - 1) / 2;
}

SweepAxis axis_of_columns(std::size_t candidates, double least) {
  SweepAxis axis;
  const auto count = static_cast<double>(candidates);
  axis.width = std::max(least, COLUMN * count);
  for (std::size_t i = 0; i < candidates; ++i)
    axis.places.push_back(axis.width * (static_cast<double>(i) + 0.5) / count);
  return axis;
}

}  // namespace

LeftOut left_out(const StageSettings& settings) {
  LeftOut all;
  all.reading = !settings.prefill.empty();
  all.writing = !settings.decode.empty();
  const int last = std::max(settings.prefill.last_layer(), settings.decode.last_layer());
  for (int layer = 0; layer <= last; ++layer) {
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
      if (!settings.prefill.skips(sublayer, layer) && !settings.decode.skips(sublayer, layer))
        continue;
      ++all.sublayers;
      all.attention += sublayer == Sublayer::attention ? 1U : 0U;
    }
  }
  return all;
}

std::vector<StageSettings> swept_settings(const SearchFile& file,
                                          std::span<const SweepRecord> sweep) {
  const auto stage = std::ranges::find(file.stages, sweep.front().stage, &StageCandidates::stage);
  assert(stage != file.stages.end());
  std::vector<StageSettings> settings;
  for (const SweepRecord& record : sweep)
    settings.push_back(stage->candidates[static_cast<std::size_t>(record.candidate)].settings);
  return settings;
}

bool masks_differ(std::span<const StageSettings> settings) {
  for (std::size_t i = 0; i < settings.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (have_same_masks(settings[i], settings[j])) return false;
    }
  }
  return true;
}

SweepAxis sweep_axis(std::span<const StageSettings> settings, double least, double most) {
  assert(!settings.empty());
  if (!masks_differ(settings)) return axis_of_columns(settings.size(), least);
  CandidatesByCount by_count;
  for (std::size_t i = 0; i < settings.size(); ++i)
    by_count[left_out(settings[i]).sublayers].push_back(i);
  const auto highest = static_cast<double>(by_count.rbegin()->first);
  const double left = EDGE + half_width(by_count.begin()->second);
  const double both_sides = left + EDGE + half_width(by_count.rbegin()->second);
  SweepAxis axis;
  axis.counts = true;
  axis.width = std::clamp(both_sides + highest * units_a_sublayer(by_count), least, most);
  axis.places.resize(settings.size());
  for (const auto& [sublayers, candidates] : by_count) {
    const double share = highest > 0 ? static_cast<double>(sublayers) / highest : 0;
    const double at = left + (axis.width - both_sides) * share;
    axis.ticks.push_back({sublayers, at});
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      axis.places[candidates[i]] =
          at - half_width(candidates) + MARK_WIDTH * static_cast<double>(i);
    }
  }
  return axis;
}

}  // namespace litestage
