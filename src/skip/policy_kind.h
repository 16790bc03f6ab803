#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "skip/skip_policy.h"

namespace litestage {

/// A parameter that a policy takes, beside its budget.
struct PolicyParameter {
  std::string_view key;
  std::string_view values;  ///< what may stand there, for errors: "a whole number from 0"
  bool (*fits)(std::string_view value);
};

/// What is known of a policy before any model is.
struct PolicyKind {
  std::string_view name;
  std::string_view operand;  ///< what stands behind the colon, for errors; empty: nothing may
  std::vector<PolicyParameter> parameters;
  PolicyHelp help;
  /// Makes the policy, which then has a budget; null for those that are another program or model.
  std::unique_ptr<SkipPolicy> (*make)(const PolicySpec&, const PolicyStatistics&);
};

/// All policies in the order they are listed.
const std::vector<PolicyKind>& policy_kinds();

/// @throws UserError that names all policies
const PolicyKind& policy_kind(std::string_view name, std::string_view where);

/// @throws UserError for an operand or a parameter that is missing, unknown or malformed
void check_spec(const PolicySpec& spec);

/// The value of a parameter; empty when it was not given.
std::string_view parameter(const PolicySpec& spec, std::string_view key);

/// "policy adaskip:k=8": where an error about it is.
std::string where_of(const PolicySpec& spec);

}  // namespace litestage
