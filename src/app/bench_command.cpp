#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/bench_run.h"
#include "app/choice_option.h"
#include "app/command.h"
#include "app/output_file.h"

namespace litestage::app {
namespace {

const std::vector<std::pair<std::string, BenchFormat>> FORMATS = {{"md", BenchFormat::md},
                                                                  {"csv", BenchFormat::csv},
                                                                  {"json", BenchFormat::json},
                                                                  {"jsonl", BenchFormat::jsonl}};
const std::vector<std::pair<std::string, LibllamaFlash>> FLASH = {
    {"auto", LibllamaFlash::faster}, {"on", LibllamaFlash::on}, {"off", LibllamaFlash::off}};
const std::vector<std::pair<std::string, bool>> OTHERS = {{"libllama", true}};

constexpr int MAX_TOKENS = 1 << 20;

void add_test_options(CLI::App& verb, BenchSettings& settings) {
  const std::string group = "Tests";
  verb.add_option("-p,--n-prompt", settings.prompts, "Prompt tokens: a pp test each; 0: none")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(within(0, MAX_TOKENS))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("-n,--n-gen", settings.generates, "Generated tokens: a tg test each; 0: none")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(within(0, MAX_TOKENS))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("-d,--n-depth", settings.depth,
                  "Tokens in the KV cache before the clock starts (batch rows: 128 unless given)")
      ->check(within(0, MAX_TOKENS))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--batch-sequences", settings.batch_sequences,
                  "Further tg tests with this many sequences in one batch, sharing a prefix")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(within(1, 64))
      ->type_name("N")
      ->group(group);
  verb.add_flag("--own-prefixes", settings.own_prefixes,
                "Sequences of such a batch share nothing, as those of unrelated requests")
      ->needs("--batch-sequences")
      ->group(group);
  verb.add_option("--mask", settings.masks,
                  "Leave sublayers out, as a3,f10-12: a further row for each --mask")
      ->type_name("MASK")
      ->allow_extra_args(false)
      ->group(group);
  verb.add_flag("--exit-check", settings.exit_check,
                "Measure too what a rule for ending texts adds to a generated token")
      ->group(group);
  verb.add_option("-r,--repetitions", settings.repetitions, "Repetitions of each test")
      ->check(within(1, 1000))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
}

void add_comparison_options(CLI::App& verb, BenchSettings& settings) {
  const std::string group = "Comparison";
  add_choice(verb, "--compare", settings.compare_libllama, OTHERS,
             "Run libllama in turn on the same file, tokens and threads")
      ->group(group);
  add_choice(verb, "--libllama-flash-attn", settings.libllama_flash, FLASH,
             "libllama's flash attention; auto: the faster one for each test")
      ->group(group);
}

}  // namespace

void add_bench_command(CLI::App& app, Action& action) {
  auto settings = std::make_shared<BenchSettings>();
  CLI::App* verb = app.add_subcommand("bench", "Measure the speed of a model, masked or compared");
  add_model_options(*verb, settings->model);
  add_decoder_options(*verb, settings->decoder, ContextOption::computed);
  add_test_options(*verb, *settings);
  add_comparison_options(*verb, *settings);
  add_choice(*verb, "-o,--output", settings->format, FORMATS, "Format of the report");
  verb->footer(
      "Examples:\n"
      "  litestage bench -m qwen2.5-coder-0.5b -p 128,512 -n 128\n"
      "  litestage bench --mask f8-12 --mask a20-23,f10 -p 0\n"
      "  litestage bench --batch-sequences 4 --compare libllama -o json");
  verb->callback([settings, &action] {
    action = [settings] {
      print_out(format_report(run_bench(*settings), settings->format));
      return EXIT_FINE;
    };
  });
}

}  // namespace litestage::app
