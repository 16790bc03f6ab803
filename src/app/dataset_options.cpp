#include "app/dataset_options.h"

#include <CLI/CLI.hpp>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "app/choice_option.h"

namespace litestage::app {
namespace {

const std::vector<std::pair<std::string, DatasetFormat>> FORMATS = {
    {"auto", DatasetFormat::automatic},
    {"litestage", DatasetFormat::litestage},
    {"choices", DatasetFormat::choices},
    {"strategyqa", DatasetFormat::strategyqa},
    {"gsm8k", DatasetFormat::gsm8k}};

}  // namespace

CLI::Option* add_question_sets(CLI::App& verb, std::vector<std::string>& paths,
                               const std::string& help, const std::string& group) {
  return verb.add_option("--questions", paths, help + "; several are taken from in turns")
      ->type_name("PATH...")
      ->group(group);
}

void add_dataset_options(CLI::App& verb, DatasetOptions& options, const std::string& group) {
  add_choice(verb, "--format", options.format, FORMATS, "How the set is written")->group(group);
  CLI::Option* limit = verb.add_option("--limit", options.limit, "Questions to take at most")
                           ->check(within(1, MOST_COUNTED))
                           ->type_name("N")
                           ->group(group);
  if (options.limit != std::numeric_limits<std::size_t>::max()) limit->capture_default_str();
  verb.add_option("--offset", options.offset, "Questions to pass over first")
      ->check(within(0, MOST_COUNTED))
      ->type_name("N")
      ->group(group);
}

}  // namespace litestage::app
