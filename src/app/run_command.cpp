#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/choice_option.h"
#include "app/command.h"
#include "app/run.h"
#include "litestage/error.h"
#include "litestage/program.h"

namespace litestage::app {
namespace {

const std::vector<std::pair<std::string, DatasetFormat>> FORMATS = {
    {"auto", DatasetFormat::automatic},
    {"litestage", DatasetFormat::litestage},
    {"choices", DatasetFormat::choices},
    {"strategyqa", DatasetFormat::strategyqa},
    {"gsm8k", DatasetFormat::gsm8k}};
constexpr int MANY = 1 << 24;

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
  add_choice(verb, "--format", settings.dataset.format, FORMATS, "How the set is written")
      ->group(group);
  verb.add_option("--limit", settings.dataset.limit, "Questions to answer at most")
      ->check(within(1, MANY))
      ->type_name("N")
      ->group(group);
  verb.add_option("--offset", settings.dataset.offset, "Questions to pass over first")
      ->check(within(0, MANY))
      ->type_name("N")
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
  verb.add_option("--mask", settings.mask, "Sublayers left out in every stage, as a3,f10-12")
      ->type_name("MASK")
      ->group(group);
  verb.allow_extras();
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

/// `--mask-STAGE MASK` names stages of a program that is read later, so these flags are taken from
/// what the parser left over.
void take_stage_masks(const std::vector<std::string>& rest, RunSettings& settings) {
  const std::string prefix = "--mask-";
  for (std::size_t i = 0; i < rest.size(); ++i) {
    std::string flag = rest[i];
    std::string value;
    if (!flag.starts_with(prefix) || flag.size() == prefix.size()) {
      throw UserError(flag, "there is no such flag", "`litestage run --help` lists them");
    }
    if (const std::size_t equals = flag.find('='); equals != std::string::npos) {
      value = flag.substr(equals + 1);
      flag.resize(equals);
    } else if (i + 1 < rest.size()) {
      value = rest[++i];
    } else {
      throw UserError(flag, "a mask is missing behind it", "write it like " + flag + " a3,f10-12");
    }
    settings.stage_masks[flag.substr(prefix.size())] = value;
  }
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
      "--mask-STAGE MASK leaves sublayers out in one stage, e.g. --mask-recall f10-12.\n\n"
      "Examples:\n"
      "  litestage run \"Which is heavier? (A) a brick (B) a feather\"\n"
      "  litestage run --program plan-solve \"A pen costs 2 euros. What do 7 pens cost?\"\n"
      "  litestage run -m smollm2-135m --file questions/demo.jsonl --limit 5 --summary\n"
      "  litestage run --mask f10-12 --mask-answer none --json --file questions/demo.jsonl\n"
      "  echo \"Is the sun a star?\" | litestage run --option yes --option no");
  verb->callback([verb, settings, &action] {
    take_stage_masks(verb->remaining(), *settings);
    action = [settings] { return run_questions(*settings); };
  });
}

}  // namespace litestage::app
