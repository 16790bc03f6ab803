#include "skip/policy_kind.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/plain_number.h"
#include "litestage/error.h"
#include "model/requantize.h"
#include "skip/policies.h"

namespace litestage {
namespace {

bool is_sublayer_count(std::string_view value) {
  return whole_number(value, 2 * MAX_LAYERS).value_or(0) > 0;
}

bool is_share(std::string_view value) {
  const double share = decimal_number(value).value_or(0);
  return share > 0 && share < 100;
}

bool is_cosine_or_off(std::string_view value) {
  return value == "off" || decimal_number(value).value_or(2) <= 1;
}

bool is_on_or_off(std::string_view value) {
  return value == "on" || value == "off";
}

bool is_layer_count(std::string_view value) {
  return whole_number(value, MAX_LAYERS).has_value();
}

bool is_seed(std::string_view value) {
  return whole_number(value, UINT32_MAX).has_value();
}

constexpr PolicyParameter K = {"k", "a number of sublayers from 1", is_sublayer_count};
constexpr PolicyParameter SAVE = {"save", "a percentage between 0 and 100", is_share};
constexpr PolicyParameter ONLINE = {"online", "a cosine from 0 to 1, or off", is_cosine_or_off};
constexpr PolicyParameter COMPENSATE = {"compensate", "on or off", is_on_or_off};
constexpr PolicyParameter KEEP = {"keep", "a number of layers", is_layer_count};
constexpr PolicyParameter SEED = {"seed", "a whole number below 2^32", is_seed};

std::vector<PolicyKind> all_kinds() {
  return {
      {"full", "", {}, {"full", "the program as it is, nothing left out", ""}, nullptr},
      {"direct",
       "",
       {},
       {"direct", "the answer straight from the question, without stages", ""},
       nullptr},
      {"litestage",
       "a plan's file",
       {},
       {"litestage:PLAN",
        "a plan of litestage search: what each stage leaves out; with +exit its exit rules too",
        "Kang, Song and Kim, LiteStage, arXiv 2510.14211"},
       nullptr},
      {"adaskip",
       "",
       {K, SAVE, ONLINE, COMPENSATE},
       {"adaskip:k=N|save=PERCENT[,online=COSINE|off][,compensate=off]",
        "the sublayers of highest cosine, scaled by their norm ratio; later in a text also the "
        "FFNs that its first 20 tokens show to change little",
        "He et al., AdaSkip, AAAI 2025, arXiv 2501.02336"},
       make_adaskip},
      {"skipdecode",
       "",
       {K, SAVE, KEEP},
       {"skipdecode:k=N|save=PERCENT[,keep=LAYERS]",
        "the lower layers, more of them the longer the text gets",
        "Del Corro et al., SkipDecode, 2023, arXiv 2307.02628"},
       make_skipdecode},
      {"unifiedskip",
       "",
       {K, SAVE},
       {"unifiedskip:k=N|save=PERCENT", "whole layers at even distances",
        "Liu, Meng and Zhou, Unified Layer Skipping, 2024, arXiv 2404.06954"},
       make_unifiedskip},
      {"layer-early-exit",
       "",
       {K, SAVE},
       {"layer-early-exit:k=N|save=PERCENT", "the last layers", ""},
       make_layer_early_exit},
      {"random",
       "",
       {K, SAVE, SEED},
       {"random:k=N|save=PERCENT[,seed=N]", "sublayers drawn at random, the same for all texts",
        ""},
       make_random},
      {"requant",
       "a weight type",
       {},
       {"requant:TYPE", "the same model with its weights in a smaller type, nothing left out", ""},
       nullptr},
      {"model",
       "a model's name or file",
       {},
       {"model:NAME", "another model, nothing left out", ""},
       nullptr},
  };
}

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
  if (spec.name == "requant") requantize_type(spec.operand, where_of(spec));
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
  static const std::vector<PolicyKind> KINDS = all_kinds();
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
  if (kind.make == nullptr) return;
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
