#include <CLI/CLI.hpp>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/choice_option.h"
#include "app/command.h"
#include "app/dataset_options.h"
#include "app/search_run.h"

namespace litestage::app {
namespace {

constexpr std::size_t SEARCHED_QUESTIONS = 100;

const std::vector<std::pair<std::string, SearchMethod>> METHODS = {
    {"latency", SearchMethod::latency}, {"paper", SearchMethod::paper}};
const std::vector<std::pair<std::string, KvReuse>> REUSES = {{"whole", KvReuse::whole},
                                                             {"exact", KvReuse::exact}};

void add_task_options(CLI::App& verb, SearchSettings& settings) {
  const std::string group = "Task";
  verb.add_option("--program", settings.program, "Program: a shipped one's name, or a TOML file")
      ->type_name("NAME|PATH")
      ->required()
      ->group(group);
  add_question_sets(verb, settings.questions,
                    "Question set with answers, kept apart from what you evaluate on", group)
      ->required();
  add_dataset_options(verb, settings.dataset, group);
  verb.add_option("-s,--seed", settings.seed, "Seed of the questions' order")
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
}

void add_search_options(CLI::App& verb, SearchSettings& settings) {
  const std::string group = "Search";
  PlanSearchOptions& search = settings.search;
  add_choice(verb, "--method", search.search.method, METHODS,
             "latency: by damage a millisecond; paper: by cosine and number of sublayers")
      ->group(group);
  verb.add_option("--start", settings.start,
                  "Go on from this plan: its masks and rules are kept and measured on these "
                  "questions, early answers are searched anew")
      ->type_name("PLAN")
      ->group(group);
  verb.add_option("--max-loss", search.search.max_loss,
                  "Points of accuracy that may be lost on these questions")
      ->check(CLI::Range(0.0, 100.0))
      ->type_name("POINTS")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--candidates", search.candidates.count,
                  "Masks a stage that are tried (method latency)")
      ->check(within(1, 1000))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--max-skipped", search.most_skipped,
                  "Sublayers left out of a stage at most (method paper)")
      ->check(within(1, 2 * MAX_LAYERS))
      ->type_name("K")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--max-damage", search.candidates.most_damage,
                  "Masks of more damage (nats a token) are not tried (method latency)")
      ->check(CLI::Range(0.0, 100.0))
      ->type_name("NATS")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--damage-tokens", search.damage_tokens,
                  "Tokens a stage that the damage of a mask is measured on (method latency)")
      ->check(within(1, MOST_COUNTED))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_flag("!--keep-attention", search.candidates.attention,
                "Leave out feed-forward sublayers alone (method latency)")
      ->group(group);
  add_choice(verb, "--kv", search.kv_reuse, REUSES,
             "whole: a stage goes on from KV that has all its layers; exact: only from KV of its "
             "own mask")
      ->group(group);
  verb.add_flag("!--no-exit", search.early_exit, "Search no rules for ending texts early")
      ->group(group);
  verb.add_option("--exit-rules", search.exit.count, "Rules a stage that are tried")
      ->check(within(1, 100))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_flag("!--no-early-answers", search.early_answers,
                "Search no early answers (programs with [early_answer]; method paper never does)")
      ->group(group);
  verb.add_option("--confirm", search.confirm_share,
                  "Share of the questions that is kept from the search, to measure the plan on")
      ->check(CLI::Range(0.0, 0.9))
      ->type_name("SHARE")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--parallel", search.parallel,
                  "Questions answered at the same time for the accuracy, which is up to several "
                  "times as fast as one by one, by the CPU; 1 makes every text independent of the "
                  "others. Times are always measured on one question at a time")
      ->check(within(1, 64))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--timed-questions", search.timed_questions,
                  "Questions that the plan and the full model are timed on in the end; 0: none")
      ->check(within(0, MOST_COUNTED))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
}

void add_file_options(CLI::App& verb, SearchSettings& settings) {
  const std::string group = "Files";
  verb.add_option("-o,--output", settings.output,
                  "The plan; what it came from is put beside it, as PLAN.search.json, "
                  "PLAN.search.html, PLAN.exit.json, PLAN.exit.html")
      ->type_name("PATH")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--importance", settings.importance,
                  "What 'litestage profile' measured; PLAN.importance.json unless given")
      ->type_name("PATH")
      ->group(group);
  verb.add_option("--memo", settings.memo,
                  "Where finished work is kept, for a search that is stopped; PLAN.memo unless "
                  "given")
      ->type_name("PATH")
      ->group(group);
  verb.add_flag("--json", settings.json, "The plan as JSON on stdout")->group(group);
}

/// Flags that a search from a plan on has no use for are refused, not passed over.
void refuse_beside_start(const CLI::App& verb) {
  if (verb.count("--start") == 0) return;
  for (const char* flag :
       {"--method", "--candidates", "--max-skipped", "--max-damage", "--damage-tokens",
        "--keep-attention", "--kv", "--no-exit", "--exit-rules", "--importance"}) {
    if (verb.count(flag) > 0) throw CLI::ExcludesError("--start", flag);
  }
}

std::shared_ptr<SearchSettings> add_verb(CLI::App& app, CLI::App*& verb, const std::string& name,
                                         const std::string& description) {
  auto settings = std::make_shared<SearchSettings>();
  settings->dataset.limit = SEARCHED_QUESTIONS;
  verb = app.add_subcommand(name, description);
  add_task_options(*verb, *settings);
  add_search_options(*verb, *settings);
  add_file_options(*verb, *settings);
  add_model_options(*verb, settings->model);
  add_decoder_options(*verb, settings->decoder, ContextOption::chosen);
  return settings;
}

}  // namespace

void add_search_commands(CLI::App& app, Action& action, Ranks* ranks) {
  CLI::App* verb = nullptr;
  const auto tune = add_verb(app, verb, "tune", "Measure, search and write a plan, all in one");
  verb->footer(
      "Examples:\n"
      "  litestage tune -m qwen2.5-coder-0.5b --program plan-solve --questions train.jsonl "
      "--max-loss 2\n"
      "  litestage tune --program tinythinker --questions train.jsonl --limit 200 -o fast.json\n"
      "  litestage tune --start plan.json --program recall-analyze-answer --questions train.jsonl "
      "\\\n"
      "      --offset 100 --limit 300 -o early.json\n"
      "  mpirun -n 4 litestage tune --program plan-solve --questions train.jsonl -t 2\n"
      "Then: litestage run --plan plan.json --compare-full ...\n"
      "A preview of the head is learned where none lies beside the model, unless --head says "
      "otherwise,\n"
      "and kept there for all verbs where it is measurably faster and misses at most one token in "
      "10,000.\n"
      "A run that was stopped or killed goes on when the same command is given again.");
  verb->callback([verb, tune, ranks, &action] {
    refuse_beside_start(*verb);
    action = [tune, ranks] { return run_tune(*tune, ranks); };
  });

  const auto search =
      add_verb(app, verb, "search", "Search a plan by what 'litestage profile' measured");
  verb->footer(
      "Examples:\n"
      "  litestage search -m qwen2.5-coder-0.5b --program plan-solve --questions train.jsonl \\\n"
      "      --importance importance.json -o plan.json\n"
      "  litestage search --method paper --max-skipped 8 --program tinythinker --questions "
      "train.jsonl\n"
      "A search that was stopped or killed goes on when the same command is given again.");
  verb->callback([verb, search, ranks, &action] {
    refuse_beside_start(*verb);
    action = [search, ranks] { return run_search(*search, ranks); };
  });
}

}  // namespace litestage::app
