#include "eval/record_json.h"

#include <nlohmann/json.hpp>

namespace litestage {
namespace {

nlohmann::ordered_json stage_json(const StageRecord& stage) {
  nlohmann::ordered_json json;
  json["name"] = stage.name;
  json["option"] =
      stage.option.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(stage.option);
  json["text"] = stage.text;
  json["prompt_tokens"] = stage.prompt_tokens;
  json["reused_tokens"] = stage.reused_tokens;
  json["tokens"] = stage.tokens;
  json["prefill_ms"] = stage.prefill_ms;
  json["decode_ms"] = stage.decode_ms;
  json["stop_reason"] = to_string(stage.stop_reason);
  json["mask"] = stage.mask;
  json["prefill_mask"] = stage.prefill_mask;
  return json;
}

}  // namespace

std::string to_json_line(const QuestionRecord& record, const std::string& program,
                         const std::string& arm) {
  nlohmann::ordered_json json;
  const Question& question = record.question;
  if (!question.id.empty()) json["id"] = question.id;
  json["program"] = program;
  if (!arm.empty()) json["arm"] = arm;
  json["question"] = question.text;
  if (!question.options.empty()) {
    json["options"] = nlohmann::ordered_json::object();
    for (const Option& option : question.options)
      json["options"][option.letter] = option.text;
  }
  json["answer"] = record.answer.empty() ? nlohmann::ordered_json(nullptr)
                                         : nlohmann::ordered_json(record.answer);
  if (!question.gold.empty()) {
    json["gold"] = question.gold;
    json["correct"] = is_correct(question, record.answer);
  }
  if (!record.votes.empty()) json["votes"] = record.votes;
  json["stages"] = nlohmann::ordered_json::array();
  for (const StageRecord& stage : record.stages)
    json["stages"].push_back(stage_json(stage));
  json["total_ms"] = record.total_ms;
  json["interrupted"] = record.interrupted;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace litestage
