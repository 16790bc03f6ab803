#include "skip/exit_rule_json.h"

#include <nlohmann/json.hpp>

namespace litestage {
namespace {

using OrderedJson = nlohmann::ordered_json;  // keys stay in the order in which people read them

constexpr int MOST_TOKENS = 32768;         // of a stage, as in programs
constexpr double LARGEST_THRESHOLD = 1e9;  // of thresholds

}  // namespace

OrderedJson exit_rule_json(const ExitRule& rule) {
  return {
      {"confidence", to_string(rule.confidence)},
      {"window", rule.window},
      {"threshold", rule.watches_confidence() ? OrderedJson(rule.threshold) : OrderedJson(nullptr)},
      {"rollback", rule.rollback},
      {"answer_complete", rule.answer_complete},
      {"repetition", rule.repetition},
      {"max_tokens", rule.max_tokens}};
}

ExitRule read_exit_rule(const JsonField& field) {
  field.expect_keys({"confidence", "window", "threshold", "rollback", "answer_complete",
                     "repetition", "max_tokens"});
  ExitRule rule;
  const JsonField confidence = field.member("confidence");
  rule.confidence = parse_confidence_kind(confidence.text(), confidence.where());
  rule.window = field.member("window").small_integer(1, MOST_TOKENS);
  const JsonField threshold = field.member("threshold");
  rule.threshold = threshold.is_null() ? ExitRule::NEVER
                                       : threshold.number(-LARGEST_THRESHOLD, LARGEST_THRESHOLD);
  rule.rollback = field.member("rollback").flag();
  rule.answer_complete = field.member("answer_complete").flag();
  rule.repetition = field.member("repetition").flag();
  rule.max_tokens = field.member("max_tokens").small_integer(0, MOST_TOKENS);
  return rule;
}

}  // namespace litestage
