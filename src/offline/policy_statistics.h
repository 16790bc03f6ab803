#pragma once

#include <string>

#include "offline/importance.h"
#include "skip/skip_policy.h"

namespace litestage {

/// What policies with one budget for all stages are calibrated with: cosine and norm ratio
/// accumulated over the stages' prompts (accumulated_change.h), milliseconds of writing averaged
/// by the tokens a stage writes. One that writes nothing has no say in what a written token costs.
/// @param where the importance's file, for errors
/// @throws UserError when a sublayer's cosine or norm ratio was not measured
PolicyStatistics policy_statistics(const Importance& importance, const std::string& where);

}  // namespace litestage
