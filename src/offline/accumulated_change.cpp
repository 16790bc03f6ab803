#include "offline/accumulated_change.h"

#include <algorithm>

namespace litestage {

MeanChange accumulated_change(const Importance& importance, Sublayer sublayer, int layer) {
  const bool prompts_counted = std::ranges::all_of(
      importance.stages, [](const StageImportance& stage) { return stage.prompt_tokens > 0; });
  double tokens = 0;
  MeanChange sum;
  for (const StageImportance& stage : importance.stages) {
    const double of_stage = prompts_counted ? stage.prompt_tokens : stage.fresh_tokens;
    const SublayerFigures& reading = stage.of(sublayer, layer).prefill;
    tokens += of_stage;
    sum.cosine += of_stage * reading.cosine;
    sum.norm_ratio += of_stage * reading.norm_ratio;
  }
  if (tokens == 0) return {SublayerFigures::UNKNOWN, SublayerFigures::UNKNOWN};
  return {sum.cosine / tokens, sum.norm_ratio / tokens};
}

}  // namespace litestage
