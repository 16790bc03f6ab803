#include "stage/stage_memo.h"

#include <fmt/format.h>

#include "base/sha256.h"

namespace litestage {

std::string call_digest(const StageCall& call) {
  const ExitRule& exit = call.settings.exit;
  const SamplerOptions& sampler = call.stage.sampler;
  std::string bytes = fmt::format(
      "{}\n{}\n{}\n{}\n{} {} {} {} {} {} {}\n{} {} {} {} {} {} {} {}\n", call.history,
      call.stage.name, call.settings.prefill.to_string(), call.settings.decode.to_string(),
      to_string(exit.confidence), exit.window, exit.threshold, exit.rollback, exit.answer_complete,
      exit.repetition, exit.max_tokens, sampler.temperature, sampler.top_k, sampler.top_p,
      sampler.min_p, sampler.repeat_penalty, sampler.seed, call.seed, call.greedy_temperature);
  for (const StageContext& context : call.contexts) {
    bytes += fmt::format("{}:", context.option);
    for (const Token token : context.tokens)
      bytes += fmt::format("{} ", token);
    bytes += '\n';
  }
  return sha256_hex(bytes);
}

}  // namespace litestage
