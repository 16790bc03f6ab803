#pragma once

#include <string>
#include <vector>

#include "report/report_data.h"

namespace litestage {

/// Below so many questions an accuracy's 95 % interval is some 20 points wide: differences between
/// policies that matter in practice cannot be told from chance.
inline constexpr int FEW_QUESTIONS = 100;

/// What a reader must know before believing the numbers of a group, one sentence each: policies
/// tuned on the very questions, policies that answered different questions, few questions, times of
/// different machines, versions or thread counts mixed, no full model to compare with.
std::vector<std::string> report_warnings(const ReportGroup& group);

}  // namespace litestage
