#pragma once

#include <vector>

#include "offline/stage_trace.h"

namespace litestage {

/// As many traces of each stage as a pass over their fresh tokens and texts may take: questions
/// take turns, and branches too (the first question gives its first branch first, the second one
/// its second), so that a few tokens come from many questions and options. Every stage gets one
/// trace at least.
/// @param tokens a stage, fresh and written
/// @return in the order of `traces`
std::vector<StageTrace> calibration_part(const std::vector<StageTrace>& traces, int tokens);

}  // namespace litestage
