#pragma once

#include <span>
#include <vector>

#include "litestage/program.h"
#include "offline/exit_replay.h"
#include "offline/program_world.h"
#include "offline/search_json.h"

namespace litestage {

/// Exit rules worth trying on top of the masks a search has chosen: for each stage that writes, the
/// full model (index 0), the chosen masks without a rule (index 1), the best rules by replay of
/// what was written, with rollback and without, budgets for its texts, and the triggers that need
/// neither; as in the paper the rules alone, without rollback.
/// @param details of all questions under the chosen masks
/// @param whole_head for each stage what ExitRuleOptions has; empty: as there
std::vector<StageCandidates> exit_candidates(const Program& program, const SearchFile& masks,
                                             const std::vector<TrialDetail>& details,
                                             const ExitRuleOptions& options,
                                             std::span<const double> whole_head = {});

}  // namespace litestage
