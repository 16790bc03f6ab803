#include "app/usage_error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <vector>

namespace litestage::app {
namespace {

// Levenshtein's distance.
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t change = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// " (did you mean 'x'?)" or nothing.
std::string suggestion(const std::string& written, const std::vector<std::string>& known) {
  const std::size_t tolerated = written.size() < 5 ? 1 : 2;
  std::string best;
  std::size_t best_distance = tolerated + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(written, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best.empty() ? "" : fmt::format(" (did you mean '{}'?)", best);
}

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
  }
  return names;
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames())
      names.push_back("--" + name);
  }
  return names;
}

/// "litestage" or "litestage plan": what is typed before a verb.
std::string command_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name()
                                     : command_of(*app.get_parent()) + " " + app.get_name();
}

std::string describe_missing_verb(const CLI::App& app, const std::vector<std::string>& extras) {
  const std::vector<std::string> verbs = verbs_of(app);
  const std::string help = fmt::format("see '{} --help'", command_of(app));
  if (extras.empty()) {
    return fmt::format("no verb given, there are {}; {}", fmt::join(verbs, ", "), help);
  }
  const std::string& word = extras.front();
  if (word.starts_with('-')) {
    return fmt::format("unknown flag '{}'{}; {}", word, suggestion(word, flags_of(app)), help);
  }
  return fmt::format("unknown verb '{}'{}; {}", word, suggestion(word, verbs), help);
}

// The parser's message as one line.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && (text.back() == ' ' || text.back() == '.'))
    text.pop_back();
  return text;
}

}  // namespace

std::string describe_usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> extras = app.remaining(true);
  const CLI::App* chosen = &app;
  while (!chosen->get_subcommands().empty())
    chosen = chosen->get_subcommands().front();
  if (!verbs_of(*chosen).empty()) return describe_missing_verb(*chosen, extras);

  const std::string command = command_of(*chosen);
  const std::string name = command.substr(command.find(' ') + 1);  // without "litestage"
  const std::string help = fmt::format("see '{} --help'", command);
  if (extras.empty()) return fmt::format("{}: {}; {}", name, one_line(error.what()), help);

  const std::string& word = extras.front();
  if (!word.starts_with('-')) {
    return fmt::format("{}: unexpected argument '{}'; {}", name, word, help);
  }
  std::vector<std::string> flags;
  for (const CLI::App* level = chosen; level != nullptr; level = level->get_parent()) {
    for (std::string& flag : flags_of(*level))
      flags.push_back(std::move(flag));
  }
  const std::string flag = word.substr(0, word.find('='));
  return fmt::format("{}: unknown flag '{}'{}; {}", name, flag, suggestion(flag, flags), help);
}

}  // namespace litestage::app
