#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "app/choice_option.h"
#include "app/command.h"
#include "app/dataset_options.h"
#include "app/search_run.h"
#include "litestage/error.h"

namespace litestage::app {

std::vector<Question> questions_of_plan(const Plan& plan, const std::vector<Question>& set,
                                        const std::string& where) {
  std::map<std::string, const Question*> known;
  for (const Question& question : set)
    known.emplace(question_hash(question), &question);
  std::vector<Question> questions;
  for (const std::string& hash : plan.origin.questions) {
    const auto found = known.find(hash);
    if (found == known.end()) {
      throw UserError(where,
                      fmt::format("lacks questions that the plan was searched on ({})",
                                  plan.origin.question_set),
                      "name the sets that were given to the search");
    }
    questions.push_back(*found->second);
  }
  return questions;
}

void add_retime_command(CLI::App& app, Action& action) {
  auto settings = std::make_shared<RetimeSettings>();
  CLI::App* verb = app.add_subcommand(
      "retime", "Measure a plan's candidates anew on this machine and choose again");
  verb->add_option("plan", settings->plan, "The plan, with its search beside it")
      ->type_name("PATH")
      ->required();
  add_question_sets(*verb, settings->questions, "The set that the plan was searched on",
                    "Questions")
      ->required();
  add_dataset_options(*verb, settings->dataset, "Questions");
  verb->add_option("-o,--output", settings->output,
                   "The new plan; in the old one's place unless given")
      ->type_name("PATH");
  verb->add_option("--memo", settings->memo, "The search's memo; PLAN.memo unless given")
      ->type_name("PATH");
  verb->add_option("--parallel", settings->parallel,
                   "Questions answered at the same time where the memo lacks what they wrote")
      ->check(within(1, 64))
      ->type_name("N")
      ->capture_default_str();
  add_model_options(*verb, settings->model);
  add_decoder_options(*verb, settings->decoder, ContextOption::chosen);
  verb->footer(
      "Examples:\n"
      "  litestage retime plan.json --questions train.jsonl\n"
      "  litestage retime plan.json --questions train.jsonl -t 4 -o plan.t4.json\n"
      "Accuracies are taken from the search: only time is measured. Without the search's memo, as\n"
      "for a plan from elsewhere, what its candidates wrote is written again first.");
  const CLI::Option* model = verb->get_option("--model");
  const CLI::Option* repository = verb->get_option("--hf-repo");
  verb->callback([settings, model, repository, &action] {
    settings->model_named = model->count() + repository->count() > 0;
    action = [settings] { return run_retime(*settings); };
  });
}

}  // namespace litestage::app
