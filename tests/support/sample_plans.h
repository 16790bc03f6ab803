#pragma once

#include "litestage/plan.h"

namespace litestage::test {

/// A plan of two stages, "plan" and "solve", for a model of 24 layers, with every field set to
/// something other than its default.
Plan sample_plan();

/// Any plan that the reader takes, drawn by RapidCheck; call it inside a property.
Plan any_plan();

}  // namespace litestage::test
