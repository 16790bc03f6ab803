#pragma once

#include <string>
#include <vector>

#include "litestage/dataset.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace litestage::app {

/// Declares --questions, which takes one set or several.
/// @param help what the sets are for
CLI::Option* add_question_sets(CLI::App& verb, std::vector<std::string>& paths,
                               const std::string& help, const std::string& group);

/// Declares --format, --limit and --offset.
/// @param options hold the defaults
void add_dataset_options(CLI::App& verb, DatasetOptions& options, const std::string& group);

}  // namespace litestage::app
