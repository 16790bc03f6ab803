#include "skip/skip_policy.h"

#include <cassert>

#include <fmt/format.h>

#include "base/utf8.h"
#include "litestage/error.h"
#include "skip/policies/policies.h"

namespace litestage {
namespace {

constexpr std::string_view EXIT = "+exit";

/// Reads `KEY=VALUE,...`.
void read_parameters(std::string_view list, PolicySpec& spec) {
  while (true) {
    const std::string_view item = list.substr(0, list.find(','));
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      throw UserError(where_of(spec), fmt::format("\"{}\" is no KEY=VALUE", item),
                      "write " + policy_kind(spec.name, where_of(spec)).help.form);
    }
    const bool is_new =
        spec.parameters.emplace(item.substr(0, equals), item.substr(equals + 1)).second;
    if (!is_new) {
      throw UserError(where_of(spec), fmt::format("{} stands there twice", item.substr(0, equals)),
                      "give it once");
    }
    if (item.size() == list.size()) return;
    list.remove_prefix(item.size() + 1);
  }
}

}  // namespace

PolicySpec parse_policy(std::string_view text) {
  PolicySpec spec;
  spec.text = displayable(text);
  if (spec.text != text) throw UserError(where_of(spec), "it is no plain text", "write it anew");
  spec.exit = text.ends_with(EXIT);
  if (spec.exit) text.remove_suffix(EXIT.size());
  const std::size_t colon = text.find(':');
  spec.name = text.substr(0, colon);
  if (spec.name.find('+') != std::string::npos) {
    throw UserError(where_of(spec), "only +exit can be added to a policy", "write it at the end");
  }
  const PolicyKind& kind = policy_kind(spec.name, where_of(spec));
  if (colon != std::string_view::npos) {
    const std::string_view rest = text.substr(colon + 1);
    if (kind.operand.empty())
      read_parameters(rest, spec);
    else
      spec.operand = rest;
  }
  check_spec(spec);
  if (kind.read_operand != nullptr) spec.operand = kind.read_operand(spec.operand, where_of(spec));
  return spec;
}

const std::vector<PolicyHelp>& policy_help() {
  static const std::vector<PolicyHelp> HELP = [] {
    std::vector<PolicyHelp> help;
    for (const PolicyKind& kind : policy_kinds())
      help.push_back(kind.help);
    return help;
  }();
  return HELP;
}

std::unique_ptr<SkipPolicy> make_skip_policy(const PolicySpec& spec, const PolicyInputs& inputs) {
  check_spec(spec);
  const PolicyKind& kind = policy_kind(spec.name, where_of(spec));
  assert(kind.source != PolicySource::statistics || inputs.statistics != nullptr);
  assert(kind.source != PolicySource::plan || inputs.plan != nullptr);
  if (kind.make == nullptr) return std::make_unique<FixedMaskPolicy>(SublayerMask{});
  return kind.make(spec, inputs);
}

}  // namespace litestage
