#include "offline/calibration_part.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

namespace litestage {
namespace {

/// Indices of one stage's traces in the order they are taken.
std::vector<std::size_t> turns_of(const std::map<int, std::vector<std::size_t>>& by_question) {
  std::vector<std::size_t> turns;
  std::size_t most = 0;
  for (const auto& [question, branches] : by_question)
    most = std::max(most, branches.size());
  for (std::size_t round = 0; round < most; ++round) {
    std::size_t first = 0;  // branch the question begins with
    for (const auto& [question, branches] : by_question) {
      if (round < branches.size()) turns.push_back(branches[(first + round) % branches.size()]);
      ++first;
    }
  }
  return turns;
}

}  // namespace

std::vector<StageTrace> calibration_part(const std::vector<StageTrace>& traces, int tokens) {
  std::map<std::string, std::map<int, std::vector<std::size_t>>> stages;
  for (std::size_t i = 0; i < traces.size(); ++i)
    stages[traces[i].stage][traces[i].question].push_back(i);
  std::vector<std::size_t> taken;
  for (const auto& [stage, by_question] : stages) {
    int left = tokens;
    for (const std::size_t index : turns_of(by_question)) {
      const StageTrace& trace = traces[index];
      const int size = trace.fresh + static_cast<int>(trace.text.size());
      // Stopping here, where a shorter one might still fit, keeps long texts in the sample.
      if (size > left && left < tokens) break;
      taken.push_back(index);
      left -= size;
    }
  }
  std::sort(taken.begin(), taken.end());
  std::vector<StageTrace> part;
  part.reserve(taken.size());
  for (const std::size_t index : taken)
    part.push_back(traces[index]);
  return part;
}

}  // namespace litestage
