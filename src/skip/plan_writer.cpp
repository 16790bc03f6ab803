#include <cassert>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_number.h"
#include "base/utf8.h"
#include "litestage/plan.h"
#include "skip/exit_rule_json.h"

namespace litestage {
namespace {

using OrderedJson = nlohmann::ordered_json;  // keys stay in the order in which people read them

/// The double whose shortest decimal form is the float's: 1.04, not 1.0399999618530273.
double as_short_number(float value) {
  const double number = std::strtod(fmt::format("{}", value).c_str(), nullptr);
  return static_cast<float>(number) == value ? number : static_cast<double>(value);
}

OrderedJson mask_json(const SublayerMask& mask) {
  OrderedJson json = OrderedJson::object();
  for (int layer = 0; layer <= mask.last_layer(); ++layer) {
    for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
      if (!mask.skips(sublayer, layer)) continue;
      const std::string key =
          fmt::format("{}{}", sublayer == Sublayer::attention ? 'a' : 'f', layer);
      const float scale = mask.scale(sublayer, layer);
      json[key] = scale == 1.0F ? OrderedJson(0)
                                : OrderedJson{{"level", 0}, {"scale", as_short_number(scale)}};
    }
  }
  return json;
}

OrderedJson early_json(const EarlyAnswers& early) {
  if (!early.any()) return nullptr;
  return {{"leave_at", early.leave_at <= 1 ? OrderedJson(early.leave_at) : OrderedJson(nullptr)},
          {"most_branches", early.most_branches},
          {"ask_first", early.ask_first}};
}

OrderedJson accuracy_json(const MeasuredAccuracy& accuracy) {
  return {{"questions", accuracy.questions},
          {"full_correct", accuracy.full_correct},
          {"plan_correct", accuracy.plan_correct},
          {"lost", accuracy.lost},
          {"gained", accuracy.gained},
          {"loss_bound", accuracy.loss_bound},
          {"bound_level", accuracy.bound_level}};
}

OrderedJson latency_json(const MeasuredLatency& latency) {
  assert(!std::isnan(latency.speedup_high));  // may be infinite: null then
  return {{"questions", latency.questions},
          {"repeats", latency.repeats},
          {"full_ms", latency.full_ms},
          {"plan_ms", latency.plan_ms},
          {"speedup", latency.speedup},
          {"speedup_low", latency.speedup_low},
          {"speedup_high", number_or_null(latency.speedup_high)},
          {"full_tokens", latency.full_tokens},
          {"plan_tokens", latency.plan_tokens}};
}

OrderedJson origin_json(const PlanOrigin& origin) {
  return {{"method", origin.method},
          {"max_loss", origin.max_loss},
          {"litestage_version", displayable(origin.litestage_version)},
          {"ggml_version", displayable(origin.ggml_version)},
          {"machine", displayable(origin.machine)},
          {"threads", origin.threads},
          {"head", displayable(origin.head)},
          {"seed", origin.seed},
          {"question_set", displayable(origin.question_set)},
          {"created", origin.created},
          {"questions", origin.questions}};
}

}  // namespace

std::string to_json(const Plan& plan) {
  OrderedJson json;
  json["schema"] = Plan::SCHEMA_VERSION;
  json["model"] = {
      {"name", displayable(plan.model_name)}, {"hash", plan.model_hash}, {"layers", plan.layers}};
  json["program"] = {{"name", displayable(plan.program)}, {"hash", plan.program_hash}};
  json["kv_reuse"] = to_string(plan.kv_reuse);
  json["stages"] = OrderedJson::array();
  for (const auto& [name, settings] : plan.stages) {
    json["stages"].push_back({{"name", name},
                              {"prefill", mask_json(settings.prefill)},
                              {"decode", mask_json(settings.decode)},
                              {"exit", exit_rule_json(settings.exit)}});
  }
  json["early_answers"] = early_json(plan.early);
  json["accuracy"] = plan.accuracy ? accuracy_json(*plan.accuracy) : OrderedJson(nullptr);
  json["latency"] = plan.latency ? latency_json(*plan.latency) : OrderedJson(nullptr);
  json["origin"] = origin_json(plan.origin);
  constexpr int INDENT = 2;
  return json.dump(INDENT) + "\n";
}

}  // namespace litestage
