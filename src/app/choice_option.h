#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace litestage::app {

/// Declares a flag whose value is one of a few words, e.g. `on` and `off`; `value` holds the
/// default.
template <typename T>
CLI::Option* add_choice(CLI::App& verb, const std::string& names, T& value,
                        const std::vector<std::pair<std::string, T>>& choices,
                        const std::string& help) {
  std::string words;
  std::string initial;
  for (const auto& [word, meaning] : choices) {
    words += (words.empty() ? "" : "|") + word;
    if (meaning == value) initial = word;
  }
  const auto assign = [&value, choices](const std::string& text) {
    for (const auto& [word, meaning] : choices) {
      if (word == text) value = meaning;
    }
  };
  const auto check = [choices, words](const std::string& text) {
    for (const auto& [word, meaning] : choices) {
      if (word == text) return std::string();
    }
    return fmt::format("'{}' is none of {}", text, words);
  };
  return verb.add_option_function<std::string>(names, assign, help)
      ->check(CLI::Validator(check, ""))
      ->type_name(words)
      ->default_str(initial);
}

/// What flags count at most: questions, tokens, milliseconds. More than anyone has.
inline constexpr int MOST_COUNTED = 1 << 24;

/// A number between two others, both included; says nothing in the help text.
template <typename T>
CLI::Validator within(T low, T high) {
  return CLI::Range(low, high).description("");
}

}  // namespace litestage::app
