#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "litestage/plan.h"
#include "offline/budget_search.h"
#include "offline/early_sweep.h"

namespace litestage {

/// A search with all that it tried, as search.json keeps it beside the plan: enough to draw it, and
/// to choose again by new times (`repick`).
struct SearchFile {
  static constexpr int SCHEMA_VERSION = 1;

  Plan plan;  ///< what was chosen; says model, program and origin too
  SearchOptions options;
  std::vector<StageCandidates> stages;  ///< in the program's order
  SearchResult result;
  EarlySweep early;  ///< no candidates where none was searched

  /// The settings of each stage under a choice, as a plan has them.
  std::vector<std::pair<std::string, StageSettings>> settings(const Choice& choice) const;
};

/// The file's text. Percentages with their 95 % intervals (Wilson) and losses stand in it for
/// people; reading passes over them, since the counts beside them say the same.
std::string to_json(const SearchFile& file);

/// @throws UserError naming file and key (as `sweeps[3].choice[1]`) for anything that is missing,
/// unknown, of the wrong type, out of range or at odds with the rest
SearchFile parse_search(std::string_view json, const std::string& where);
SearchFile load_search(const std::string& path);
/// Writes the file whole or not at all.
/// @throws UserError when it cannot be written
void save_search(const SearchFile& file, const std::string& path);

}  // namespace litestage
