#pragma once

#include <string>

#include "app/terminal.h"
#include "litestage/plan.h"

namespace litestage::app {

/// A plan for people: model and program, for each stage a picture of what is left out and when its
/// text ends, then what was measured and where the plan comes from.
std::string format_plan(const Plan& plan, const std::string& path, const Style& style);

/// When a stage's text ends besides the model's own end, in words.
std::string describe_exit(const ExitRule& rule);

/// When a question with options is answered before its last stage, in words.
std::string describe_early_answers(const EarlyAnswers& early);

/// One line each, without the line end.
std::string describe_accuracy(const MeasuredAccuracy& accuracy);
std::string describe_latency(const MeasuredLatency& latency);

}  // namespace litestage::app
