#include "app/plan_diff.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace litestage::app {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// What a plan says: keys as in its file, and values as text, in the order of the file. Stages are
/// told apart by name, not by place.
using Facts = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view QUESTIONS_KEY = "origin.questions";

void add_facts(Facts& facts, const std::string& path, const OrderedJson& json) {
  if (!json.is_object()) {
    facts.emplace_back(path, json.dump());
    return;
  }
  for (const auto& [key, value] : json.items())
    add_facts(facts, path + "." + key, value);
}

Facts facts_of(const Plan& plan) {
  Facts facts;
  const OrderedJson json = OrderedJson::parse(to_json(plan));
  for (const auto& [key, value] : json.items()) {
    if (key == "stages") {
      for (const OrderedJson& stage : value) {
        const auto name = stage.at("name").get<std::string>();
        const std::string path = fmt::format("stages[{}]", name);
        const StageSettings& settings = *plan.find(name);
        facts.emplace_back(path + ".prefill", settings.prefill.to_string());
        facts.emplace_back(path + ".decode", settings.decode.to_string());
        add_facts(facts, path + ".exit", stage.at("exit"));
      }
    } else if (!value.is_null()) {  // what was not measured
      add_facts(facts, key, value);
    }
  }
  return facts;
}

const std::string* find(const Facts& facts, const std::string& key) {
  const auto found =
      std::ranges::find_if(facts, [&](const auto& fact) { return fact.first == key; });
  return found == facts.end() ? nullptr : &found->second;
}

std::string format_change(const std::string& key, const std::string* before,
                          const std::string* after, const Style& style) {
  const auto shown = [](const std::string* value) -> std::string_view {
    return value == nullptr ? "(absent)" : std::string_view(*value);
  };
  return fmt::format("{}: {}{}{} -> {}{}{}\n", key, style.wrong, shown(before), style.off,
                     style.right, shown(after), style.off);
}

/// By number alone: their hashes tell people nothing.
std::string format_questions(const Plan& before, const Plan& after) {
  const std::vector<std::string>& old_ones = before.origin.questions;
  const std::vector<std::string>& new_ones = after.origin.questions;
  if (old_ones == new_ones) return {};
  const std::set<std::string> known(old_ones.begin(), old_ones.end());
  const auto common = std::ranges::count_if(
      new_ones, [&](const std::string& hash) { return known.contains(hash); });
  return fmt::format("{}: {} -> {}, of which {} are in both\n", QUESTIONS_KEY, old_ones.size(),
                     new_ones.size(), common);
}

}  // namespace

std::string format_plan_diff(const Plan& before, const Plan& after, const Style& style) {
  const Facts old_facts = facts_of(before);
  const Facts new_facts = facts_of(after);
  std::string text;
  for (const auto& [key, value] : old_facts) {
    const std::string* other = find(new_facts, key);
    if (key != QUESTIONS_KEY && (other == nullptr || *other != value))
      text += format_change(key, &value, other, style);
  }
  for (const auto& [key, value] : new_facts) {
    if (find(old_facts, key) == nullptr) text += format_change(key, nullptr, &value, style);
  }
  return text + format_questions(before, after);
}

}  // namespace litestage::app
