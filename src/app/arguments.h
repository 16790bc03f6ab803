#pragma once

#include <string>
#include <vector>

namespace litestage::app {

/// The command line without the program's name. The short flags of several letters that people know
/// from llama.cpp (`-hf`, `-ngl`, `-ctk`, `-ctv`, `-ub`, `-fa`, `-np`), which the parser cannot
/// take, become their long forms, `-hf=X` too, and `--mask-STAGE MASK` becomes
/// `--stage-mask STAGE=MASK`; words after `--` stay as they are.
std::vector<std::string> normalise_arguments(int argc, const char* const* argv);

}  // namespace litestage::app
