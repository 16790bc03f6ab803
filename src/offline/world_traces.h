#pragma once

#include <vector>

#include "offline/program_world.h"
#include "offline/stage_trace.h"

namespace litestage {

/// Adds what the stages of one question read and wrote, one trace a context.
/// @param question index, for the traces
void append_traces(const TrialDetail& detail, int question, std::vector<StageTrace>& traces);

}  // namespace litestage
