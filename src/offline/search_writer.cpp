#include <cmath>

#include <nlohmann/json.hpp>

#include "base/binomial.h"
#include "base/json_number.h"
#include "base/text_file.h"
#include "base/utf8.h"
#include "eval/paired_accuracy.h"
#include "offline/search_json.h"
#include "skip/exit_rule_json.h"

namespace litestage {
namespace {

using OrderedJson = nlohmann::ordered_json;  // keys stay in the order in which people read them

OrderedJson stage_json(const StageCandidates& stage) {
  OrderedJson candidates = OrderedJson::array();
  for (const Candidate& candidate : stage.candidates) {
    const ExitRule& exit = candidate.settings.exit;
    candidates.push_back(
        {{"label", displayable(candidate.label)},
         {"prefill", candidate.settings.prefill.to_string()},
         {"decode", candidate.settings.decode.to_string()},
         {"exit", exit == ExitRule{} ? OrderedJson(nullptr) : exit_rule_json(exit)},
         {"predicted_ms", candidate.predicted_ms},
         {"damage", number_or_null(candidate.damage)}});
  }
  return {{"name", stage.stage}, {"candidates", candidates}};
}

OrderedJson time_json(const TimedChoice& time) {
  return {{"ms", time.ms}, {"ms_error", time.ms_error}, {"stage_ms", time.stage_ms}};
}

/// Value and ends of the interval, per cent; null when nothing was run.
OrderedJson share_json(int correct, int questions) {
  if (questions == 0) return nullptr;
  const Interval interval = wilson_95(correct, questions);
  const auto rounded = [](double share) { return std::round(share * 1000) / 10; };
  return {{"percent", rounded(static_cast<double>(correct) / questions)},
          {"low", rounded(interval.low)},
          {"high", rounded(interval.high)}};
}

OrderedJson record_json(const SweepRecord& record) {
  const PairedCounts counts = {record.questions, record.lost, record.gained};
  return {{"stage", record.stage},
          {"candidate", record.candidate},
          {"choice", record.choice},
          {"damage", number_or_null(record.damage)},
          {"verdict", to_string(record.verdict)},
          {"questions", record.questions},
          {"correct", record.correct},
          {"lost", record.lost},
          {"gained", record.gained},
          {"accuracy", share_json(record.correct, record.questions)},
          {"loss", counts.loss()},
          {"time", record.time ? time_json(*record.time) : OrderedJson(nullptr)},
          {"written", record.written}};
}

OrderedJson full_json(const SearchResult& result) {
  return {{"questions", result.accuracy.questions},
          {"correct", result.accuracy.full_correct},
          {"accuracy", share_json(result.accuracy.full_correct, result.accuracy.questions)},
          {"time", time_json(result.full_time)},
          {"written", result.full_written}};
}

OrderedJson chosen_json(const SearchResult& result) {
  const MeasuredAccuracy& accuracy = result.accuracy;
  return {{"choice", result.chosen},
          {"correct", accuracy.plan_correct},
          {"lost", accuracy.lost},
          {"gained", accuracy.gained},
          {"accuracy", share_json(accuracy.plan_correct, accuracy.questions)},
          {"loss", accuracy.loss()},
          {"loss_bound", accuracy.loss_bound},
          {"time", time_json(result.chosen_time)}};
}

OrderedJson early_json(const EarlySweep& sweep) {
  if (sweep.candidates.empty()) return nullptr;
  OrderedJson candidates = OrderedJson::array();
  for (const EarlyCandidate& candidate : sweep.candidates) {
    const double margin = candidate.early.leave_at;
    candidates.push_back({{"leave_at", margin <= 1 ? OrderedJson(margin) : OrderedJson(nullptr)},
                          {"most_branches", candidate.early.most_branches},
                          {"ask_first", candidate.early.ask_first},
                          {"questions", candidate.questions},
                          {"correct", candidate.correct},
                          {"lost", candidate.lost},
                          {"gained", candidate.gained},
                          {"left", candidate.left},
                          {"accuracy", share_json(candidate.correct, candidate.questions)},
                          {"ms", candidate.ms}});
  }
  return {{"chosen", sweep.chosen}, {"candidates", candidates}};
}

}  // namespace

std::string to_json(const SearchFile& file) {
  const SearchResult& result = file.result;
  OrderedJson json;
  json["schema"] = SearchFile::SCHEMA_VERSION;
  json["options"] = {{"method", to_string(file.options.method)},
                     {"max_loss", file.options.max_loss},
                     {"racing_error", file.options.racing_error},
                     {"bound_level", file.options.bound_level}};
  json["start"] = result.start;
  json["full"] = full_json(result);
  json["chosen"] = chosen_json(result);
  json["totals"] = {{"trials", result.trials},
                    {"trials_without_racing", result.trials_without_racing},
                    {"choices", result.choices}};
  json["stage_order"] = result.stage_order;
  json["stages"] = OrderedJson::array();
  for (const StageCandidates& stage : file.stages)
    json["stages"].push_back(stage_json(stage));
  json["sweeps"] = OrderedJson::array();
  for (const SweepRecord& record : result.sweeps)
    json["sweeps"].push_back(record_json(record));
  json["early_answers"] = early_json(file.early);
  json["plan"] = OrderedJson::parse(to_json(file.plan));
  constexpr int INDENT = 2;
  return json.dump(INDENT, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

void save_search(const SearchFile& file, const std::string& path) {
  write_text_file(path, to_json(file));
}

}  // namespace litestage
