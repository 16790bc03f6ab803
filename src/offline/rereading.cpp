#include "offline/rereading.h"

#include <algorithm>
#include <utility>

#include "offline/candidate_masks.h"

namespace litestage {

Rereading::Rereading(const Importance& importance, const std::vector<StageTrace>& traces,
                     std::vector<Token> preamble, KvReuse reuse)
    : importance_(importance), preamble_(std::move(preamble)), reuse_(reuse) {
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const StageTrace& trace = traces[i];
    if (i == 0 || trace.question != traces[i - 1].question) questions_.emplace_back();
    std::vector<StageLog>& stages = questions_.back().stages;
    if (stages.empty() || stages.back().stage != trace.stage) {
      stages.emplace_back();
      stages.back().stage = trace.stage;
    }
    stages.back().contexts.push_back({trace.context, ""});
    stages.back().texts.push_back(trace.text);
  }
  for (AskedQuestion& asked : questions_)
    asked.fresh = fresh_tokens(asked.stages, preamble_, reuse_);
}

double Rereading::ms(const std::string& stage, const StageSettings& settings) {
  double sum = 0;
  for (AskedQuestion& asked : questions_) {
    const auto own = std::ranges::find(asked.stages, stage, &StageLog::stage);
    if (own == asked.stages.end()) continue;
    own->settings = settings;
    const std::vector<int> fresh = fresh_tokens(asked.stages, preamble_, reuse_);
    own->settings = {};
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      const std::string& name = asked.stages[i].stage;
      const auto known = std::ranges::find(importance_.stages, name, &StageImportance::name);
      if (known == importance_.stages.end()) continue;
      const double token_ms = fresh_token_ms(*known, name == stage ? settings : StageSettings{});
      sum += (fresh[i] - asked.fresh[i]) * token_ms;
    }
  }
  return questions_.empty() ? 0 : sum / static_cast<double>(questions_.size());
}

}  // namespace litestage
