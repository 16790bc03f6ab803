#include "eval/question_sets.h"

#include <algorithm>
#include <cassert>
#include <filesystem>
#include <set>
#include <utility>

#include "litestage/error.h"

namespace litestage {
namespace {

namespace fs = std::filesystem;

using Sets = std::vector<std::vector<Question>>;

/// The same for every way to write a file's path.
std::string identity_of(const std::string& path) {
  std::error_code ignored;
  const fs::path whole = fs::weakly_canonical(path, ignored);
  return path == "-" || ignored ? path : whole.string();
}

void check_named_once(const std::vector<std::string>& paths) {
  std::set<std::string> known;
  for (const std::string& path : paths) {
    if (!known.insert(identity_of(path)).second)
      throw UserError(path, "the set is named twice", "name it once");
  }
}

/// What stands in front of each set's ids.
std::vector<std::string> prefixes_of(const std::vector<std::string>& paths) {
  const auto stem = [](const std::string& path) { return fs::path(path).stem().string(); };
  std::vector<std::string> prefixes;
  for (const std::string& path : paths) {
    const auto alike = std::ranges::count(paths, stem(path), stem);
    prefixes.push_back(alike == 1 ? stem(path) : fs::path(path).replace_extension().string());
  }
  return prefixes;
}

bool ids_clash(const Sets& sets) {
  std::set<std::string> known;
  for (const std::vector<Question>& set : sets) {
    for (const Question& question : set) {
      if (!known.insert(question.id).second) return true;
    }
  }
  return false;
}

}  // namespace

std::vector<Question> load_question_sets(const std::vector<std::string>& paths,
                                         const DatasetOptions& options) {
  assert(!paths.empty());
  check_named_once(paths);
  Sets sets;
  std::size_t longest = 0;
  for (const std::string& path : paths) {
    sets.push_back(load_questions(path, options));
    longest = std::max(longest, sets.back().size());
  }
  if (ids_clash(sets)) {
    const std::vector<std::string> prefixes = prefixes_of(paths);
    for (std::size_t i = 0; i < sets.size(); ++i) {
      for (Question& question : sets[i])
        question.id = prefixes[i] + "/" + question.id;
    }
  }
  std::vector<Question> questions;
  for (std::size_t turn = 0; turn < longest; ++turn) {
    for (std::vector<Question>& set : sets) {
      if (questions.size() == options.limit) return questions;
      if (turn < set.size()) questions.push_back(std::move(set[turn]));
    }
  }
  return questions;
}

std::string question_set_names(const std::vector<std::string>& paths) {
  std::string names;
  for (const std::string& path : paths) {
    if (!names.empty()) names += ", ";
    names += path == "-" ? "standard input" : fs::path(path).filename().string();
  }
  return names;
}

}  // namespace litestage
