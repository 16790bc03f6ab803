#pragma once

#include "app/search_run.h"

namespace litestage::app {

/// What `litestage tune` does first: where nobody said which head to use and no preview lies beside
/// the model, one is learned, and put there if it is worth having (not_worth_having). The texts it
/// is learned from go through the memo, and so does the verdict on one that was not worth it: on
/// this machine it is not learned again. Where it cannot be learned, that is said and no error.
/// @param settings with a memo
/// @return EXIT_FINE, with a preview or without, or EXIT_INTERRUPTED
int learn_head_to_tune(const SearchSettings& settings);

}  // namespace litestage::app
