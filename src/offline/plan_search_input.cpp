#include "offline/plan_search_input.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "litestage/error.h"
#include "skip/plan_check.h"

namespace litestage {
namespace {

void check_start(const Plan& start, const Model& model, const Program& program) {
  const std::string where = "the plan to go on from";
  check_plan_model(start, model, where);
  const bool has_its_stages =
      std::ranges::equal(start.stages, program.stages, {},
                         &std::pair<std::string, StageSettings>::first, &Stage::name);
  if (start.program_hash != program.hash || !has_its_stages) {
    throw UserError(
        where,
        fmt::format("was made with another program, or the program {} has changed", start.program),
        "search without it, or name its program");
  }
}

bool has_damage(const Importance& importance) {
  const auto measured = [](const std::array<SublayerImportance, 2>& layer) {
    return std::ranges::any_of(layer, [](const SublayerImportance& sublayer) {
      return !std::isnan(sublayer.prefill.damage) || !std::isnan(sublayer.decode.damage);
    });
  };
  return std::ranges::any_of(importance.stages, [&](const StageImportance& stage) {
    return std::ranges::any_of(stage.layers, measured);
  });
}

}  // namespace

void check_search_input(const PlanSearchInput& input, SearchMethod method,
                        const std::string& hash) {
  if (input.questions.empty())
    throw UserError("search", "there is no question", "name a question set");
  if (input.start != nullptr)
    return check_start(*input.start, input.decoder.model(), input.program);
  assert(input.importance != nullptr);
  if (input.importance->model_hash != hash) {
    throw UserError("importance",
                    fmt::format("was measured on another model ({})", input.importance->model_name),
                    "measure this one with 'litestage profile'");
  }
  if (input.importance->program_hash != input.program.hash) {
    throw UserError("importance",
                    fmt::format("was measured with another program, or the program {} has changed",
                                input.importance->program),
                    "measure it anew with 'litestage profile'");
  }
  if (method == SearchMethod::latency && !has_damage(*input.importance)) {
    throw UserError("importance", "was measured without damage, by which --method latency searches",
                    "measure it anew with --damage-tokens, or search with --method paper");
  }
}

}  // namespace litestage
