#include "offline/world_traces.h"

#include <algorithm>

namespace litestage {

void append_traces(const TrialDetail& detail, int question, std::vector<StageTrace>& traces) {
  for (std::size_t stage = 0; stage < detail.stages.size(); ++stage) {
    const StageLog& log = detail.stages[stage];
    const std::size_t shared = shared_length(log.contexts);
    for (std::size_t i = 0; i < log.contexts.size(); ++i) {
      const std::vector<Token>& context = log.contexts[i].tokens;
      // What branches share is read with the first of them.
      std::size_t own = context.size() - shared;
      if (i == 0) {
        own = static_cast<std::size_t>(detail.trial.read[stage]);
        for (std::size_t other = 1; other < log.contexts.size(); ++other)
          own -= log.contexts[other].tokens.size() - shared;
      }
      traces.push_back({log.stage, question, context, static_cast<int>(own), log.texts[i]});
    }
  }
}

}  // namespace litestage
