#include "eval/eval_results.h"

#include <nlohmann/json.hpp>

#include "base/json_number.h"

namespace litestage {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson interval_json(const Interval& interval) {
  return OrderedJson::array({interval.low, interval.high});
}

OrderedJson result_json(const ArmSummary& summary) {
  OrderedJson json;
  json["alias"] = summary.arm.task;
  json["acc,none"] = summary.accuracy;
  json["acc_stderr,none"] = summary.accuracy_stderr;
  return json;
}

OrderedJson samples_json(const ArmSummary& summary) {
  OrderedJson json;
  json["effective"] = summary.questions;
  json["timed"] = summary.timed;
  json["correct"] = summary.correct;
  json["unanswered"] = summary.unanswered;
  json["tuned_on"] = summary.tuned_on;
  json["acc_95"] = interval_json(summary.accuracy_95);
  return json;
}

OrderedJson latency_json(const ArmSummary& summary) {
  OrderedJson json;
  json["mean_ms"] = summary.mean_ms;
  json["mean_ms_95"] = interval_json(summary.mean_ms_95);
  json["p50_ms"] = summary.p50_ms;
  json["p90_ms"] =
      summary.timed >= LEAST_FOR_P90 ? OrderedJson(summary.p90_ms) : OrderedJson(nullptr);
  json["p99_ms"] = summary.p99_ms ? OrderedJson(*summary.p99_ms) : OrderedJson(nullptr);
  json["tokens"] = summary.tokens;
  json["overhead_ms"] = summary.overhead_ms;
  json["stages"] = OrderedJson::array();
  for (const StageTimes& stage : summary.stages) {
    json["stages"].push_back({{"name", stage.stage},
                              {"prefill_ms", stage.prefill_ms},
                              {"decode_ms", stage.decode_ms},
                              {"tokens", stage.tokens},
                              {"fresh_tokens", stage.fresh}});
  }
  return json;
}

OrderedJson comparison_json(const Comparison& comparison) {
  OrderedJson json;
  json["questions"] = comparison.questions;
  json["timed"] = comparison.timed;
  json["lost"] = comparison.lost;
  json["gained"] = comparison.gained;
  json["difference"] = comparison.difference;
  json["difference_95"] = interval_json(comparison.difference_95);
  json["mcnemar_p"] = comparison.mcnemar_p;
  json["speedup"] = comparison.speedup.value;
  json["speedup_95"] = OrderedJson::array({comparison.speedup.low, comparison.speedup.high});
  json["saved_reading_ms"] = comparison.saved_reading_ms;
  json["saved_writing_ms"] = comparison.saved_writing_ms;
  json["saved_overhead_ms"] = comparison.saved_overhead_ms;
  json["gain_per_token"] = number_or_null(comparison.gain_per_token);
  json["length_change"] = number_or_null(comparison.length_change);
  json["gain_reading"] = number_or_null(comparison.gain_reading);
  return json;
}

OrderedJson config_json(const EvalArm& arm) {
  OrderedJson json;
  json["program"] = {{"name", arm.program}, {"hash", arm.program_hash}};
  json["model"] = {{"name", arm.model_name}, {"hash", arm.model_hash}};
  json["settings"] = arm.settings;
  return json;
}

}  // namespace

std::string results_json(const EvalHeader& header, const std::vector<ArmSummary>& summaries) {
  OrderedJson policies = OrderedJson::object();
  for (const ArmSummary& summary : summaries) {
    OrderedJson& policy = policies[summary.arm.policy];
    const std::string& task = summary.arm.task;
    policy["results"][task] = result_json(summary);
    policy["n-samples"][task] = samples_json(summary);
    policy["configs"][task] = config_json(summary.arm);
    policy["latency"][task] = latency_json(summary);
    if (summary.against_full) policy["against_full"][task] = comparison_json(*summary.against_full);
  }
  OrderedJson json;
  json["schema_version"] = EvalHeader::SCHEMA_VERSION;
  json["policies"] = std::move(policies);
  json["machine"] = {{"name", header.machine}, {"threads", header.threads}};
  json["seed"] = header.seed;
  json["versions"] = {{"litestage", header.litestage_version}, {"ggml", header.ggml_version}};
  json["created"] = header.created;
  constexpr int INDENT = 2;
  return json.dump(INDENT, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace litestage
