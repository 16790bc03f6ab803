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
#include "skip/policy_kind.h"

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
  const EvalModel& source = given();
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

const EvalModel& EvalModels::given() {
  const auto found = models_.find("");
  return found == models_.end() ? load("", find_model(settings_.model)) : found->second;
}

const EvalModel& EvalModels::of(const PolicySpec& policy) {
  const PolicyModel wanted = policy_kind(policy.name, where_of(policy)).model;
  if (wanted == PolicyModel::given) return given();
  const std::string key = policy.name + ":" + policy.operand;
  if (const auto found = models_.find(key); found != models_.end()) return found->second;
  return load(key, wanted == PolicyModel::named ? resolve_model(policy.operand)
                                                : requantized(policy.operand));
}

}  // namespace litestage::app
