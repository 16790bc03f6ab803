#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/choice_option.h"
#include "app/command.h"
#include "app/dataset_options.h"
#include "app/run.h"
#include "litestage/program.h"

namespace litestage::app {
namespace {

const std::vector<std::pair<std::string, std::optional<StageKv>>> STAGE_KV = {
    {"whole", StageKv::whole}, {"exact", StageKv::exact}, {"none", StageKv::none}};

void add_question_options(CLI::App& verb, RunSettings& settings) {
  const std::string group = "Questions";
  verb.add_option("question", settings.question,
                  "The question; options may stand in it as (A) ... (B) ...")
      ->type_name("TEXT");
  verb.add_option("--option", settings.options, "An option's text; give one for each option")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->group(group);
  verb.add_option("-f,--file", settings.file,
                  "Question set: ours, or one of the benchmarks'; -: standard input")
      ->type_name("PATH")
      ->group(group);
  add_dataset_options(verb, settings.dataset, group);
}

/// How stages are run, whatever they leave out.
void add_run_options(CLI::App& verb, RunSettings& settings, const std::string& group) {
  add_choice(verb, "--kv", settings.kv, STAGE_KV,
             "What a stage goes on from: whole: KV written under other FFNs too; exact: KV of its "
             "own mask; none: it reads everything anew. As the plan says unless given, else exact")
      ->group(group);
  verb.add_flag("--branches-in-turn", settings.branches_in_turn,
                "Write a stage's branches one after another, not in one batch")
      ->group(group);
  verb.add_flag("--merge-branches", settings.merge_branches,
                "Take over the KV of texts written side by side where a later stage quotes them, "
                "instead of reading them again: faster, and an approximation")
      ->group(group);
  verb.add_flag("!--no-exit", settings.exit_rules, "Leave out the plan's rules for ending texts")
      ->group(group);
}

void add_stage_options(CLI::App& verb, RunSettings& settings) {
  const std::string group = "Stages";
  std::string shipped;
  for (const std::string& name : shipped_programs())
    shipped += (shipped.empty() ? "" : ", ") + name;
  verb.add_option("--program", settings.program,
                  "Program: a TOML file or one of " + shipped +
                      "; else the one the question asks for or that fits it")
      ->type_name("NAME|PATH")
      ->group(group);
  verb.add_option("--plan", settings.plans,
                  "Leave out what a plan says, as 'litestage tune' makes it; also names the model "
                  "and the program unless they are given. Several: each question is run by the one "
                  "for its program")
      ->type_name("PATH")
      ->allow_extra_args(false)  // a question may stand behind it
      ->group(group);
  verb.add_flag("--compare-full", settings.compare_full,
                "Answer every question with nothing left out as well, and compare")
      ->group(group);
  verb.add_option("--mask", settings.mask, "Sublayers left out in every stage, as a3,f10-12")
      ->type_name("MASK")
      ->group(group);
  verb.add_option("--stage-mask", settings.stage_masks,
                  "The same for one stage (also --mask-STAGE MASK)")
      ->type_name("STAGE=MASK")
      ->allow_extra_args(false)
      ->group(group);
  verb.add_option(
          "--leave-at", settings.leave_at,
          "Where an early answer is so much likelier than the next (a probability, 0 to 1), "
          "take it and leave out the stages behind it; above 1: never. As the plan says unless "
          "given")
      ->check(CLI::Range(0.0, 2.0))
      ->type_name("MARGIN")
      ->group(group);
  verb.add_flag("--ask-first", settings.ask_first,
                "Ask for the early answer before the first stage too: a question that is sure by "
                "itself needs no stage")
      ->group(group);
  verb.add_option("--most-branches", settings.most_branches,
                  "Analyze so many options alone, the likeliest as an early answer; 0: all. As the "
                  "plan says unless given")
      ->check(within(0, 26))
      ->type_name("N")
      ->group(group);
  add_run_options(verb, settings, group);
  verb.add_option("--votes", settings.votes,
                  "Answer this often with sampling, and take the majority")
      ->check(within(1, 1000))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("-s,--seed", settings.seed, "Seed of all sampling")
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
}

}  // namespace

void add_run_command(CLI::App& app, Action& action) {
  auto settings = std::make_shared<RunSettings>();
  CLI::App* verb = app.add_subcommand("run", "Answer questions in stages");
  add_question_options(*verb, *settings);
  add_stage_options(*verb, *settings);
  verb->add_flag("--json", settings->json, "One JSON record a question on stdout")->group("Output");
  verb->add_flag("--summary", settings->summary,
                 "End with accuracy, tokens and milliseconds a stage")
      ->group("Output");
  add_model_options(*verb, settings->model);
  add_decoder_options(*verb, settings->decoder, ContextOption::chosen);
  verb->footer(
      "Examples:\n"
      "  litestage run \"Which is heavier? (A) a brick (B) a feather\"\n"
      "  litestage run --program plan-solve \"A pen costs 2 euros. What do 7 pens cost?\"\n"
      "  litestage run -m smollm2-135m --file questions/demo.jsonl --limit 5 --summary\n"
      "  litestage run --plan plan.json --compare-full --summary --file questions.jsonl\n"
      "  litestage run --mask f10-12 --mask-answer none --json --file questions/demo.jsonl\n"
      "  echo \"Is the sun a star?\" | litestage run --option yes --option no");
  const CLI::Option* model = verb->get_option("--model");
  const CLI::Option* repository = verb->get_option("--hf-repo");
  verb->callback([settings, model, repository, &action] {
    settings->model_named = model->count() + repository->count() > 0;
    action = [settings] { return run_questions(*settings); };
  });
}

}  // namespace litestage::app
