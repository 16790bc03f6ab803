#include "skip/policy_kind.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "litestage/error.h"
#include "skip/policies/policies.h"

namespace litestage {
namespace {

std::string known_names() {
  std::vector<std::string_view> names;
  for (const PolicyKind& kind : policy_kinds())
    names.push_back(kind.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

void check_operand(const PolicySpec& spec, const PolicyKind& kind) {
  if (kind.operand.empty() != spec.operand.empty()) {
    throw UserError(where_of(spec),
                    kind.operand.empty() ? fmt::format("\"{}\" is no KEY=VALUE", spec.operand)
                                         : fmt::format("{} is missing", kind.operand),
                    "write " + kind.help.form);
  }
  if (kind.read_operand != nullptr) kind.read_operand(spec.operand, where_of(spec));
}

void check_parameter(const PolicySpec& spec, const PolicyKind& kind, const std::string& key,
                     const std::string& value) {
  const auto known = std::find_if(kind.parameters.begin(), kind.parameters.end(),
                                  [&](const PolicyParameter& one) { return one.key == key; });
  if (known == kind.parameters.end()) {
    throw UserError(where_of(spec), fmt::format("{} has no parameter \"{}\"", kind.name, key),
                    "write " + kind.help.form);
  }
  if (known->fits(value)) return;
  throw UserError(where_of(spec), fmt::format("{} cannot be \"{}\"", key, value),
                  fmt::format("it is {}", known->values));
}

}  // namespace

const std::vector<PolicyKind>& policy_kinds() {
  static const std::vector<PolicyKind> KINDS = {
      full_policy(),       direct_policy(),      litestage_policy(),        adaskip_policy(),
      skipdecode_policy(), unifiedskip_policy(), layer_early_exit_policy(), random_policy(),
      requant_policy(),    model_policy(),
  };
  return KINDS;
}

const PolicyKind& policy_kind(std::string_view name, std::string_view where) {
  for (const PolicyKind& kind : policy_kinds()) {
    if (kind.name == name) return kind;
  }
  throw UserError(std::string(where), fmt::format("there is no policy \"{}\"", name),
                  "the policies are " + known_names());
}

void check_spec(const PolicySpec& spec) {
  const PolicyKind& kind = policy_kind(spec.name, where_of(spec));
  check_operand(spec, kind);
  for (const auto& [key, value] : spec.parameters)
    check_parameter(spec, kind, key, value);
  if (kind.source != PolicySource::statistics) return;
  const bool both = spec.parameters.contains("k") && spec.parameters.contains("save");
  const bool none = !spec.parameters.contains("k") && !spec.parameters.contains("save");
  if (!both && !none) return;
  throw UserError(where_of(spec), both ? "it has two budgets, k and save" : "it has no budget",
                  "write " + kind.help.form);
}

std::string_view parameter(const PolicySpec& spec, std::string_view key) {
  const auto found = spec.parameters.find(std::string(key));
  return found == spec.parameters.end() ? std::string_view{} : std::string_view(found->second);
}

std::string where_of(const PolicySpec& spec) {
  return "policy " + spec.text;
}

}  // namespace litestage
