#include "eval/stage_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace litestage {
namespace {

constexpr int MOST_RECORDED_TOKENS = 1 << 24;
constexpr double LONGEST_STAGE_MS = 1e12;

int read_count(const JsonField& field) {
  return field.small_integer(0, MOST_RECORDED_TOKENS);
}

}  // namespace

nlohmann::ordered_json stage_json(const StageRecord& stage) {
  nlohmann::ordered_json json;
  json["name"] = stage.name;
  json["option"] =
      stage.option.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(stage.option);
  json["text"] = stage.text;
  json["prompt_tokens"] = stage.prompt_tokens;
  json["reused_tokens"] = stage.reused_tokens;
  json["tokens"] = stage.tokens;
  json["prefill_ms"] = stage.prefill_ms;
  json["decode_ms"] = stage.decode_ms;
  json["stop_reason"] = to_string(stage.stop_reason);
  json["mask"] = stage.mask;
  json["prefill_mask"] = stage.prefill_mask;
  json["margin"] =
      stage.margin ? nlohmann::ordered_json(*stage.margin) : nlohmann::ordered_json(nullptr);
  return json;
}

StageRecord read_stage_record(const JsonField& field) {
  field.expect_keys({"name", "option", "text", "prompt_tokens", "reused_tokens", "tokens",
                     "prefill_ms", "decode_ms", "stop_reason", "mask", "prefill_mask", "margin"});
  StageRecord stage;
  stage.name = field.member("name").text();
  if (const JsonField option = field.member("option"); !option.is_null())
    stage.option = option.text();
  stage.text = field.member("text").raw_text();
  stage.prompt_tokens = read_count(field.member("prompt_tokens"));
  stage.reused_tokens = read_count(field.member("reused_tokens"));
  if (stage.reused_tokens > stage.prompt_tokens)
    field.member("reused_tokens").fail("is more than prompt_tokens");
  stage.tokens = read_count(field.member("tokens"));
  stage.prefill_ms = field.member("prefill_ms").number(0, LONGEST_STAGE_MS);
  stage.decode_ms = field.member("decode_ms").number(0, LONGEST_STAGE_MS);
  const JsonField reason = field.member("stop_reason");
  const auto known = parse_stop_reason(reason.text());
  if (!known) reason.fail(fmt::format("\"{}\" is no reason to stop", reason.text()));
  stage.stop_reason = *known;
  stage.mask = field.member("mask").text();
  stage.prefill_mask = field.member("prefill_mask").text();
  if (const auto margin = field.optional_member("margin")) stage.margin = margin->number(0, 1);
  return stage;
}

nlohmann::ordered_json options_json(const std::vector<Option>& options) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const Option& option : options)
    json[option.letter] = option.text;
  return json;
}

std::vector<Option> read_options(const JsonField& field) {
  std::vector<Option> options;
  for (const auto& [letter, text] : field.members()) {  // by key: A before B
    const std::string expected(1, static_cast<char>('A' + options.size()));
    if (letter != expected) text.fail(fmt::format("the next option should be {}", expected));
    options.push_back({letter, text.raw_text()});
  }
  return options;
}

std::string json_line(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace litestage
