#pragma once

#include "eval/eval_record.h"

namespace litestage::test {

/// A small run with every field set: two policies on two tasks, three questions each, times and
/// answers that differ.
EvalRun eval_example();

/// A run as its file.
std::string eval_file(const EvalRun& run);

}  // namespace litestage::test
