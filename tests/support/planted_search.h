#pragma once

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "offline/budget_search.h"
#include "support/planted_world.h"

namespace litestage::test {

inline constexpr std::array METHODS = {SearchMethod::paper, SearchMethod::latency};

inline SearchOptions options_of(SearchMethod method) {
  SearchOptions options;
  options.method = method;
  return options;
}

/// Three stages; leaving more out makes texts longer, so that neither accuracy nor latency is
/// monotone. The best choice is {2, 2, 0}: 80 + 350 + 50 ms.
inline std::vector<PlantedStage> three_stages() {
  return {{"recall",
           {{100, 1, 0, 0, 0}, {90, 1, 0.3, 0, 0.1}, {80, 1, 0, 0, 0.2}, {60, 1, 0.5, 0.1, 0.3}}},
          {"analyze",
           {{400, 1, 0, 0, 0},
            {370, 1, 0, 0, 0.1},
            {350, 1, 0.02, 0.02, 0.2},
            {300, 1.3, 0.01, 0, 0.3},
            {250, 1.1, 0.3, 0.05, 0.5}}},
          {"answer", {{50, 1, 0, 0, 0}}}};
}

/// The first record of a stage's candidate, which there must be.
inline const SweepRecord& record_of(const SearchResult& result, const std::string& stage,
                                    int candidate) {
  for (const SweepRecord& record : result.sweeps) {
    if (record.stage == stage && record.candidate == candidate) return record;
  }
  ADD_FAILURE() << stage << " " << candidate;
  return result.sweeps.front();
}

/// All that must not depend on where a search was stopped.
inline std::string summary(const SearchResult& result) {
  std::string text = std::to_string(result.interrupted) + ":";
  for (const int index : result.chosen)
    text += " " + std::to_string(index);
  for (const SweepRecord& record : result.sweeps) {
    text += "\n" + record.stage + " " + std::to_string(record.candidate) + " " +
            std::string(to_string(record.verdict)) + " " + std::to_string(record.questions) + " " +
            std::to_string(record.correct) + " " + std::to_string(record.lost) + " " +
            std::to_string(record.gained) + " " + std::to_string(record.time ? record.time->ms : 0);
  }
  return text + "\n" + std::to_string(result.trials) + " " +
         std::to_string(result.accuracy.loss_bound) + " " +
         std::to_string(result.accuracy.plan_correct);
}

}  // namespace litestage::test
