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

std::string describe_missing_verb(const CLI::App& app, const std::vector<std::string>& extras) {
  const std::vector<std::string> verbs = verbs_of(app);
  if (extras.empty()) {
    return fmt::format("no verb given, there are {}; see 'litestage --help'",
                       fmt::join(verbs, ", "));
  }
  const std::string& word = extras.front();
  if (word.starts_with('-')) {
    return fmt::format("unknown flag '{}'{}; see 'litestage --help'", word,
                       suggestion(word, flags_of(app)));
  }
  return fmt::format("unknown verb '{}'{}; see 'litestage --help'", word, suggestion(word, verbs));
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
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) return describe_missing_verb(app, extras);

  const CLI::App& verb = *chosen.front();
  const std::string help = fmt::format("see 'litestage {} --help'", verb.get_name());
  if (extras.empty())
    return fmt::format("{}: {}; {}", verb.get_name(), one_line(error.what()), help);

  const std::string& word = extras.front();
  if (!word.starts_with('-')) {
    return fmt::format("{}: unexpected argument '{}'; {}", verb.get_name(), word, help);
  }
  std::vector<std::string> flags = flags_of(verb);
  for (std::string& flag : flags_of(app))
    flags.push_back(std::move(flag));
  const std::string name = word.substr(0, word.find('='));
  return fmt::format("{}: unknown flag '{}'{}; {}", verb.get_name(), name, suggestion(name, flags),
                     help);
}

}  // namespace litestage::app
