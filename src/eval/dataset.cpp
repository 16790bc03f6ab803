#include "litestage/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json_list.h"
#include "base/json_read.h"
#include "litestage/error.h"

namespace litestage {
namespace {

using nlohmann::json;

constexpr std::string_view GSM8K_MARK = "####";

/// The fields of one question, with its place for errors.
class Fields {
 public:
  Fields(const json& object, std::string place) : object_(object), place_(std::move(place)) {}

  const std::string& place() const { return place_; }

  [[noreturn]] void fail(const std::string& what, const std::string& remedy = {}) const {
    throw UserError(place_, what, remedy);
  }

  const json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  const json& required(const char* name) const {
    const json* value = find(name);
    if (value == nullptr) fail(fmt::format("the question has no '{}'", name));
    return *value;
  }

  std::string text(const char* name) const {
    const json& value = required(name);
    if (!value.is_string()) fail(fmt::format("'{}' must be a text", name));
    return value.get<std::string>();
  }

  std::string text_or_empty(const char* name) const {
    return find(name) == nullptr ? std::string() : text(name);
  }

  /// A text, or a number as it was written.
  std::string text_or_number(const char* name) const {
    const json* value = find(name);
    if (value != nullptr && value->is_number()) return value->dump();
    return text_or_empty(name);
  }

  void allow_only(std::initializer_list<std::string_view> names) const {
    for (const auto& [name, value] : object_.items()) {
      if (std::ranges::find(names, name) != names.end()) continue;
      fail(fmt::format("unknown field '{}'", name),
           fmt::format("the fields are {}", fmt::join(names, ", ")));
    }
  }

 private:
  const json& object_;
  std::string place_;
};

/// The letter of a right answer that is given as a letter or in an option's own words.
std::string gold_letter(const Fields& fields, const std::vector<Option>& options,
                        const std::string& answer) {
  for (const Option& option : options) {
    if (answer == option.letter) return option.letter;
  }
  for (const Option& option : options) {
    if (answer == option.text) return option.letter;
  }
  fields.fail(fmt::format("the answer '{}' is none of the options", answer),
              "give an option's letter or its text");
}

Question read_ours(const Fields& fields) {
  fields.allow_only({"id", "question", "options", "answer", "program"});
  Question question;
  question.id = fields.text_or_number("id");
  question.text = fields.text("question");
  question.program = fields.text_or_empty("program");
  question.gold = fields.text_or_number("answer");
  const json* options = fields.find("options");
  if (options == nullptr) return question;
  const bool all_texts =
      options->is_array() &&
      std::ranges::all_of(*options, [](const json& option) { return option.is_string(); });
  if (!all_texts) fields.fail("'options' must be a list of texts");
  if (options->empty()) fields.fail("'options' is empty", "leave it out where there are none");
  question.options = letter_options(options->get<std::vector<std::string>>());
  if (!question.gold.empty()) question.gold = gold_letter(fields, question.options, question.gold);
  return question;
}

Question read_choices(const Fields& fields) {
  const json& inner_object = fields.required("question");
  if (!inner_object.is_object()) fields.fail("'question' must be an object");
  const Fields inner(inner_object, fields.place());
  Question question;
  question.id = fields.text_or_empty("id");
  question.text = inner.text("stem");
  const json& choices = inner.required("choices");
  if (!choices.is_array()) fields.fail("'choices' must be a list");
  std::vector<std::string> labels;
  std::vector<std::string> texts;
  for (const json& choice : choices) {
    if (!choice.is_object()) fields.fail("a choice must be an object");
    const Fields choice_fields(choice, fields.place());
    labels.push_back(choice_fields.text("label"));
    texts.push_back(choice_fields.text("text"));
  }
  if (texts.empty()) fields.fail("'choices' is empty");
  question.options = letter_options(texts);
  const std::string key = fields.text_or_empty("answerKey");
  if (key.empty()) return question;  // test parts are published without answers
  const auto label = std::ranges::find(labels, key);
  if (label == labels.end()) fields.fail(fmt::format("'answerKey' '{}' is no choice's label", key));
  question.gold = question.options[static_cast<std::size_t>(label - labels.begin())].letter;
  return question;
}

Question read_strategyqa(const Fields& fields) {
  Question question;
  question.id = fields.text_or_empty("qid");
  question.text = fields.text("question");
  question.options = letter_options({"yes", "no"});
  const json* answer = fields.find("answer");
  if (answer == nullptr) return question;
  if (!answer->is_boolean()) fields.fail("'answer' must be true or false");
  question.gold = answer->get<bool>() ? "A" : "B";
  return question;
}

Question read_gsm8k(const Fields& fields) {
  Question question;
  question.text = fields.text("question");
  const std::string answer = fields.text("answer");
  const std::size_t mark = answer.rfind(GSM8K_MARK);
  if (mark == std::string::npos) fields.fail("'answer' has no '####' with the number behind it");
  question.gold = trimmed(std::string_view(answer).substr(mark + GSM8K_MARK.size()));
  std::erase(question.gold, ',');
  if (question.gold.empty()) fields.fail("there is no number behind '####'");
  return question;
}

DatasetFormat format_of(const json& object) {
  const auto question = object.find("question");
  if (question != object.end() && question->is_object()) return DatasetFormat::choices;
  if (object.contains("qid")) return DatasetFormat::strategyqa;
  const auto answer = object.find("answer");
  if (answer == object.end() || object.contains("options")) return DatasetFormat::litestage;
  if (answer->is_boolean()) return DatasetFormat::strategyqa;
  const bool has_mark = answer->is_string() &&
                        answer->get_ref<const std::string&>().find(GSM8K_MARK) != std::string::npos;
  return has_mark ? DatasetFormat::gsm8k : DatasetFormat::litestage;
}

Question read_question(const json& object, DatasetFormat format, const std::string& place) {
  const Fields fields(object, place);
  switch (format) {
    case DatasetFormat::choices:
      return read_choices(fields);
    case DatasetFormat::strategyqa:
      return read_strategyqa(fields);
    case DatasetFormat::gsm8k:
      return read_gsm8k(fields);
    case DatasetFormat::litestage:
    case DatasetFormat::automatic:
      break;
  }
  return read_ours(fields);
}

/// What to call a set's questions that have no ids: the file's name without folder and ending.
std::string id_prefix(const std::string& where) {
  const std::string stem = std::filesystem::path(where).stem().string();
  return stem.empty() ? std::string("question") : stem;
}

}  // namespace

std::vector<Question> parse_questions(std::string_view text, const std::string& where,
                                      const DatasetOptions& options) {
  const bool is_list = trimmed(text).starts_with('[');
  const std::vector<JsonElement> elements =
      is_list ? split_json_list(text, where) : split_lines(text);
  if (elements.empty()) throw UserError(where, "there are no questions");
  if (options.offset >= elements.size()) {
    throw UserError(where,
                    fmt::format("there are {} questions and {} are to be left out", elements.size(),
                                options.offset),
                    "lower the offset");
  }
  DatasetFormat format = options.format;
  std::vector<Question> questions;
  std::map<std::string, std::size_t> line_of_id;
  for (std::size_t i = options.offset; i < elements.size() && questions.size() < options.limit;
       ++i) {
    const JsonElement& element = elements[i];
    const std::string place = located(where, element.position.line);
    const json object = parse_json(element.text, where, element.position);
    if (!object.is_object()) throw UserError(place, "a question must be a JSON object");
    if (format == DatasetFormat::automatic) format = format_of(object);
    Question question = read_question(object, format, place);
    if (question.id.empty()) question.id = fmt::format("{}-{}", id_prefix(where), i + 1);
    check_question(
        question, place,
        format == DatasetFormat::litestage ? DoubledOptions::refuse : DoubledOptions::allow);
    const auto [first, is_new] = line_of_id.emplace(question.id, element.position.line);
    if (!is_new) {
      throw UserError(place,
                      fmt::format("the id '{}' is that of line {} too", question.id, first->second),
                      "give each question its own");
    }
    questions.push_back(std::move(question));
  }
  return questions;
}

std::vector<Question> load_questions(const std::string& path, const DatasetOptions& options) {
  if (path != "-") return parse_questions(read_text_file(path), path, options);
  const std::string text{std::istreambuf_iterator<char>(std::cin),
                         std::istreambuf_iterator<char>()};
  return parse_questions(text, "stdin", options);
}

}  // namespace litestage
