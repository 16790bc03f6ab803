#pragma once

#include "report/report.h"

namespace litestage::test {

/// A run of six policies on the task "openbookqa" (three stages, the second with branches) and
/// three on "gsm8k", made to look like a real one. What is known of openbookqa with 120 questions:
/// full is right on 72; adaskip:k=8 loses 15 and gains 6 (p = 0.078), litestage:plan.json+exit
/// loses 5 and gains 3, direct writes nothing. Some texts try to be markup.
/// @param questions of openbookqa; gsm8k has a third of them
EvalRun report_example_run(int questions = 120);

/// That run in a file's place, with an importance and a search.
ReportInput report_example();

}  // namespace litestage::test
