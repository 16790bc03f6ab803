#pragma once

#include "offline/search_json.h"

namespace litestage::test {

/// A search in a planted world of three stages and 60 questions, with every verdict in it, damages
/// that were not measured, and labels that have to be escaped.
SearchFile example_search();

}  // namespace litestage::test
