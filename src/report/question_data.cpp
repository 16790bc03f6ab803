#include "report/question_data.h"

#include <nlohmann/json.hpp>

namespace litestage {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson answer_json(const EvalRecord& record) {
  OrderedJson answer;
  answer["prediction"] = record.prediction;
  answer["correct"] = record.correct;
  answer["ms"] = record.timed() ? OrderedJson(record.total_ms) : OrderedJson(nullptr);
  answer["stages"] = OrderedJson::array();
  for (const EvalStage& stage : record.stages) {
    answer["stages"].push_back(
        {{"name", stage.name},
         {"option", stage.option},
         {"text", stage.text},
         {"tokens", stage.tokens},
         {"ms",
          record.timed() ? OrderedJson(stage.prefill_ms + stage.decode_ms) : OrderedJson(nullptr)},
         {"stop", to_string(stage.stop_reason)},
         {"mask", stage.mask}});
  }
  return answer;
}

OrderedJson question_json(const EvalRecord& record, std::size_t task) {
  OrderedJson question;
  question["task"] = task;
  question["id"] = record.id;
  question["text"] = record.question;
  question["options"] = OrderedJson::array();
  for (const Option& option : record.options)
    question["options"].push_back({option.letter, option.text});
  question["gold"] = record.gold;
  return question;
}

bool disagree(const RecordPair& pair) {
  return pair.left->correct != pair.right->correct;
}

/// Adds a group's questions and entries to the file.
void add_group(OrderedJson& file, const ReportGroup& group, std::size_t task) {
  const ReportArm* full = group.full();
  std::map<std::string, std::size_t> number_of;  // a question's id -> its number
  for (const ReportArm& arm : group.arms) {
    if (&arm == full) continue;
    for (const RecordPair& pair : common_questions(*full, arm)) {
      if (!disagree(pair)) continue;
      const auto [known, is_new] = number_of.try_emplace(pair.left->id, file["questions"].size());
      if (is_new) {
        file["questions"].push_back(question_json(*pair.left, task));
        file["questions"].back()["answers"][full->label] = answer_json(*pair.left);
      }
      file["questions"][known->second]["answers"][arm.label] = answer_json(*pair.right);
      file["entries"].push_back({{"question", known->second},
                                 {"policy", arm.label},
                                 {"kind", pair.left->correct ? "lost" : "gained"}});
    }
  }
}

/// JSON as it may stand in a script element: "<" occurs in strings alone.
std::string without_tags(const std::string& json) {
  std::string safe;
  for (const char c : json) {
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  }
  return safe;
}

}  // namespace

std::string question_data(const std::vector<ReportGroup>& groups) {
  OrderedJson file;
  file["tasks"] = OrderedJson::array();
  file["full"] = OrderedJson::array();
  file["questions"] = OrderedJson::array();
  file["entries"] = OrderedJson::array();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const ReportArm* full = groups[i].full();
    file["tasks"].push_back(groups[i].name);
    file["full"].push_back(full == nullptr ? "" : full->label);
    if (full != nullptr) add_group(file, groups[i], i);
  }
  return without_tags(file.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
}

std::size_t disagreements(const std::vector<ReportGroup>& groups) {
  std::size_t count = 0;
  for (const ReportGroup& group : groups) {
    if (group.full() == nullptr) continue;
    for (const ReportArm& arm : group.arms) {
      for (const RecordPair& pair : common_questions(*group.full(), arm))
        count += disagree(pair) ? 1 : 0;
    }
  }
  return count;
}

}  // namespace litestage
