#include "stage/demonstrations.h"

#include <nlohmann/json.hpp>

#include "base/json_list.h"
#include "base/json_read.h"
#include "litestage/error.h"
#include "litestage/question.h"
#include "stage/template.h"

namespace litestage {
namespace {

using nlohmann::json;

void add_list(Demonstration& demonstration, const std::string& name,
              const std::vector<std::string>& texts) {
  const std::vector<Option> lettered = letter_options(texts);
  demonstration[name] = list_options(lettered, "\n");
  demonstration[name + ".inline"] = list_options(lettered, " ");
}

std::vector<std::string> texts_of(const json& list, const std::string& field,
                                  const std::string& where) {
  std::vector<std::string> texts;
  for (const json& element : list) {
    if (!element.is_string()) throw UserError(where, "'" + field + "' must be a list of texts");
    texts.push_back(element.get<std::string>());
  }
  if (texts.size() > 26) throw UserError(where, "'" + field + "' has more than 26 texts");
  return texts;
}

/// Our form: every field is a variable.
Demonstration read_ours(const json& object, const std::string& where) {
  Demonstration demonstration;
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) {
      demonstration[name] = value.get<std::string>();
    } else if (value.is_number()) {
      demonstration[name] = value.dump();
    } else if (value.is_array()) {
      add_list(demonstration, name, texts_of(value, name, where));
    } else {
      throw UserError(where, "'" + name + "' must be a text, a number or a list of texts");
    }
  }
  return demonstration;
}

std::string author_text(const json& object, const std::string& field, const std::string& where) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_string()) {
    throw UserError(where, "the demonstration has no text '" + field + "'");
  }
  return found->get<std::string>();
}

/// "A. yes, B. no" as two texts; a comma inside an option does not split it.
std::vector<std::string> split_author_options(std::string_view text, const std::string& where) {
  std::vector<std::string> options;
  if (!text.starts_with("A. ")) throw UserError(where, "'Options' must begin with 'A. '");
  text.remove_prefix(3);
  while (options.size() < 26) {
    const std::string next = {',', ' ', static_cast<char>('B' + options.size()), '.', ' '};
    const std::size_t end = text.find(next);
    options.emplace_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + next.size());
  }
  return options;
}

/// The authors' form: an explanation says "B is correct. Because ..." of its option.
Demonstration read_authors(const json& object, const std::string& where) {
  Demonstration demonstration;
  demonstration["question"] = author_text(object, "Q", where);
  demonstration["recall"] = author_text(object, "Key Information", where);
  const std::vector<std::string> options =
      split_author_options(author_text(object, "Options", where), where);
  const auto found = object.find("Explanations");
  if (found == object.end() || !found->is_array()) {
    throw UserError(where, "the demonstration has no list 'Explanations'");
  }
  std::vector<std::string> analyses = texts_of(*found, "Explanations", where);
  if (analyses.size() != options.size()) {
    throw UserError(where, "there must be one explanation an option");
  }
  for (std::size_t i = 0; i < analyses.size(); ++i) {
    const std::string letter(1, static_cast<char>('A' + i));
    if (analyses[i].starts_with(letter + " is correct")) demonstration["answer"] = letter;
    // The line is lettered again, so only "is correct. Because ..." is kept.
    if (analyses[i].starts_with(letter + " is ")) analyses[i].erase(0, 2);
  }
  if (!demonstration.contains("answer")) throw UserError(where, "no explanation says 'is correct'");
  add_list(demonstration, "options", options);
  add_list(demonstration, "analyses", analyses);
  return demonstration;
}

}  // namespace

std::vector<Demonstration> read_demonstrations(std::string_view text, const std::string& where) {
  std::vector<Demonstration> demonstrations;
  for (const JsonElement& element : split_json_list(text, where)) {
    const json object = parse_json(element.text, where, element.position);
    const std::string place = located(where, element.position);
    if (!object.is_object()) throw UserError(place, "a demonstration must be an object");
    demonstrations.push_back(object.contains("Q") ? read_authors(object, place)
                                                  : read_ours(object, place));
  }
  if (demonstrations.empty()) throw UserError(where, "there are no demonstrations");
  return demonstrations;
}

}  // namespace litestage
