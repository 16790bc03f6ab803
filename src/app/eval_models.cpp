#include "app/eval_models.h"

#include <cstdio>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "app/output_file.h"
#include "base/utf8.h"
#include "litestage/model_store.h"
#include "litestage/plan.h"
#include "model/requantize.h"

namespace litestage::app {

const EvalModel& EvalModels::load(const std::string& key, const std::filesystem::path& path) {
  EvalModel loaded;
  loaded.model = Model::load(path, settings_.model.options);
  ModelArguments arguments = settings_.model;
  // A preview that was named is for the model that was named.
  if (!key.empty() && arguments.head != "full") arguments.head = "auto";
  loaded.head = find_head_preview(*loaded.model, arguments);
  loaded.name = displayable(path.stem().string());
  loaded.hash = model_hash(*loaded.model);
  return models_.emplace(key, std::move(loaded)).first->second;
}

/// The hash in the name tells models of one file name apart, and a model from its successor.
std::filesystem::path EvalModels::requantized(const std::string& type) {
  const EvalModel& source = of(PolicySpec{});
  constexpr std::size_t DIGITS = 8;
  const std::filesystem::path folder = models_folder();
  std::filesystem::path path =
      folder / fmt::format("{}-{}-{}.gguf", source.name, source.hash.substr(0, DIGITS), type);
  std::error_code failed;
  if (std::filesystem::exists(path, failed)) return path;
  std::filesystem::create_directories(folder, failed);
  check_output(path.string());
  fmt::print(stderr, "litestage: writing {}\n", path.string());
  requantize(source.model->path(), type, path, settings_.decoder.threads);
  return path;
}

const EvalModel& EvalModels::of(const PolicySpec& policy) {
  const bool own = policy.name == "model" || policy.name == "requant";
  const std::string key = own ? policy.name + ":" + policy.operand : "";
  if (const auto found = models_.find(key); found != models_.end()) return found->second;
  if (policy.name == "model") return load(key, resolve_model(policy.operand));
  if (policy.name == "requant") return load(key, requantized(policy.operand));
  return load(key, find_model(settings_.model));
}

}  // namespace litestage::app
