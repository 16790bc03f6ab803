#pragma once

#include <string>

#include "litestage/dataset.h"

namespace CLI {
class App;
}

namespace litestage::app {

/// Declares --format, --limit and --offset.
/// @param options hold the defaults
void add_dataset_options(CLI::App& verb, DatasetOptions& options, const std::string& group);

}  // namespace litestage::app
