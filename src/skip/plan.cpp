#include "litestage/plan.h"

#include <cassert>

#include "base/text_file.h"

namespace litestage {

std::string_view to_string(KvReuse reuse) {
  switch (reuse) {
    case KvReuse::exact:
      return "exact";
    case KvReuse::whole:
      return "whole";
  }
  assert(false);
  return "";
}

double MeasuredAccuracy::loss() const {
  return questions == 0 ? 0 : 100.0 * (lost - gained) / questions;
}

const StageSettings* Plan::find(std::string_view stage) const {
  for (const auto& [name, settings] : stages) {
    if (name == stage) return &settings;
  }
  return nullptr;
}

Plan load_plan(const std::string& path) {
  return parse_plan(read_text_file(path), path);
}

void save_plan(const Plan& plan, const std::string& path) {
  write_text_file(path, to_json(plan));
}

}  // namespace litestage
