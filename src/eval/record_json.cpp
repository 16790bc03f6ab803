#include "eval/record_json.h"

#include <nlohmann/json.hpp>

#include "eval/stage_json.h"

namespace litestage {

std::string to_json_line(const QuestionRecord& record, const std::string& program,
                         const std::string& arm) {
  nlohmann::ordered_json json;
  const Question& question = record.question;
  if (!question.id.empty()) json["id"] = question.id;
  json["program"] = program;
  if (!arm.empty()) json["arm"] = arm;
  json["question"] = question.text;
  if (!question.options.empty()) json["options"] = options_json(question.options);
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
  return json_line(json);
}

}  // namespace litestage
