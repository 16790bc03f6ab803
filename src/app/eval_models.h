#pragma once

#include <map>
#include <memory>
#include <string>

#include "app/eval_run.h"
#include "litestage/model.h"
#include "skip/skip_policy.h"

namespace litestage::app {

/// A model that arms run on.
struct EvalModel {
  std::shared_ptr<const Model> model;
  std::shared_ptr<const HeadPreview> head;  ///< null: none
  std::string name;  ///< of its file, without ending: that tells the quantisation too
  std::string hash;
};

/// Loads the models of an evaluation, each once.
class EvalModels {
 public:
  explicit EvalModels(const EvalSettings& settings) : settings_(settings) {}

  /// The model a policy runs on: its own for `model:NAME`, the one of the flags written anew in
  /// another type for `requant:TYPE` (kept in the models folder as NAME-HASH-TYPE.gguf), else the
  /// flags' own.
  const EvalModel& of(const PolicySpec& policy);

 private:
  const EvalModel& given();
  const EvalModel& load(const std::string& key, const std::filesystem::path& path);
  std::filesystem::path requantized(const std::string& type);

  const EvalSettings& settings_;
  std::map<std::string, EvalModel> models_;  // by "", "model:NAME", "requant:TYPE"
};

}  // namespace litestage::app
