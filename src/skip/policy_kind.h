#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "skip/skip_policy.h"

namespace litestage {

/// A parameter that a policy takes.
struct PolicyParameter {
  std::string_view key;
  std::string_view values;  ///< what may stand there, for errors: "a whole number from 0"
  bool (*fits)(std::string_view value);
};

/// What a policy is made from.
enum class PolicySource {
  nothing,
  statistics,  ///< what a profile measured of the sublayers; such a policy has a budget
  plan,        ///< the plan that its operand names
};

/// The model that a policy's answers come from.
enum class PolicyModel {
  given,        ///< the one that all policies share
  requantized,  ///< that one in the weight type that the operand names
  named,        ///< the one that the operand names
};

/// All that an arm of an evaluation needs to know of a policy before there is a model: how it is
/// written, and what it is made from.
struct PolicyKind {
  std::string_view name;
  std::string_view operand = {};  ///< what stands behind the colon, for errors; empty: nothing may
  /// The operand as it is written in full; throws UserError for one that is wrong. Null: any will
  /// do.
  std::string (*read_operand)(std::string_view operand, const std::string& where) = nullptr;
  std::vector<PolicyParameter> parameters = {};
  PolicyHelp help = {};
  PolicySource source = PolicySource::nothing;
  PolicyModel model = PolicyModel::given;
  bool in_stages = true;  ///< false: the answer comes straight from the question
  /// Makes the policy from its sources; null: nothing is left out.
  std::unique_ptr<SkipPolicy> (*make)(const PolicySpec&, const PolicyInputs&) = nullptr;
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
