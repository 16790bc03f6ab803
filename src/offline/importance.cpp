#include "offline/importance.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/json_field.h"
#include "base/json_number.h"
#include "base/json_read.h"
#include "base/text_file.h"

namespace litestage {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr double LARGEST = 1e300;

OrderedJson figures_json(const SublayerFigures& figures) {
  OrderedJson json;
  json["cosine"] = number_or_null(figures.cosine);
  json["norm_ratio"] = number_or_null(figures.norm_ratio);
  json["damage"] = number_or_null(figures.damage);
  json["damage_error"] = number_or_null(figures.damage_error);
  json["ms"] = figures.ms;
  json["ms_error"] = figures.ms_error;
  return json;
}

/// One line a phase: a file of thousands of lines with one number each is no pleasure to read.
std::string sublayer_text(const SublayerImportance& sublayer, const std::string& indent) {
  return fmt::format(
      "{{\n{0}  \"bytes\": {1},\n{0}  \"prefill\": {2},\n{0}  \"decode\": {3}\n{0}}}", indent,
      sublayer.bytes, figures_json(sublayer.prefill).dump(), figures_json(sublayer.decode).dump());
}

std::string stage_text(const StageImportance& stage) {
  std::string text = fmt::format("    {{\n      \"name\": {},\n", OrderedJson(stage.name).dump());
  if (stage.prompt_tokens > 0)
    text += fmt::format("      \"prompt_tokens\": {},\n", OrderedJson(stage.prompt_tokens).dump());
  text += fmt::format(
      "      \"fresh_tokens\": {},\n      \"written_tokens\": {},\n"
      "      \"prefill_ms\": {},\n      \"decode_ms\": {},\n      \"layers\": [",
      OrderedJson(stage.fresh_tokens).dump(), OrderedJson(stage.written_tokens).dump(),
      OrderedJson(stage.prefill_ms).dump(), OrderedJson(stage.decode_ms).dump());
  const std::string indent(10, ' ');
  for (std::size_t layer = 0; layer < stage.layers.size(); ++layer) {
    text +=
        fmt::format("{}\n        {{\n{}\"attention\": {},\n{}\"ffn\": {}\n        }}",
                    layer == 0 ? "" : ",", indent, sublayer_text(stage.layers[layer][0], indent),
                    indent, sublayer_text(stage.layers[layer][1], indent));
  }
  return text + "\n      ]\n    }";
}

double number_or_unknown(const JsonField& field, double low, double high) {
  return field.is_null() ? SublayerFigures::UNKNOWN : field.number(low, high);
}

SublayerFigures read_figures(const JsonField& field) {
  field.expect_keys({"cosine", "norm_ratio", "damage", "damage_error", "ms", "ms_error"});
  SublayerFigures figures;
  figures.cosine = number_or_unknown(field.member("cosine"), -1, 1);
  figures.norm_ratio = number_or_unknown(field.member("norm_ratio"), 0, LARGEST);
  figures.damage = number_or_unknown(field.member("damage"), 0, LARGEST);
  figures.damage_error = number_or_unknown(field.member("damage_error"), 0, LARGEST);
  figures.ms = field.member("ms").number(0, LARGEST);
  figures.ms_error = field.member("ms_error").number(0, LARGEST);
  return figures;
}

SublayerImportance read_sublayer(const JsonField& field) {
  field.expect_keys({"bytes", "prefill", "decode"});
  return {read_figures(field.member("prefill")), read_figures(field.member("decode")),
          static_cast<std::size_t>(field.member("bytes").integer(0, JsonField::LARGEST_COUNT))};
}

StageImportance read_stage(const JsonField& field, std::size_t n_layers) {
  StageImportance stage;
  field.expect_keys({"name", "fresh_tokens", "written_tokens", "prefill_ms", "decode_ms", "layers"},
                    {"prompt_tokens"});  // files from before prompts were counted lack it
  if (const auto prompts = field.optional_member("prompt_tokens"))
    stage.prompt_tokens = prompts->number(1e-9, LARGEST);
  stage.name = field.member("name").text();
  stage.fresh_tokens = field.member("fresh_tokens").number(0, LARGEST);
  stage.written_tokens = field.member("written_tokens").number(0, LARGEST);
  stage.prefill_ms = field.member("prefill_ms").number(0, LARGEST);
  stage.decode_ms = field.member("decode_ms").number(0, LARGEST);
  for (const JsonField& layer : field.member("layers").elements()) {
    layer.expect_keys({"attention", "ffn"});
    stage.layers.push_back(
        {read_sublayer(layer.member("attention")), read_sublayer(layer.member("ffn"))});
  }
  if (stage.layers.size() != n_layers) {
    field.member("layers").fail(
        fmt::format("has {} layers, but the model has {}", stage.layers.size(), n_layers));
  }
  return stage;
}

void read_stages(const JsonField& field, std::size_t n_layers, Importance& importance) {
  std::set<std::string> names;
  for (const JsonField& element : field.elements()) {
    importance.stages.push_back(read_stage(element, n_layers));
    if (!names.insert(importance.stages.back().name).second)
      element.member("name").fail(
          fmt::format("\"{}\" is there twice", importance.stages.back().name));
  }
  if (importance.stages.empty()) field.fail("has no stage");
}

void read_machine(const JsonField& field, Importance& importance) {
  if (const auto head = field.optional_member("head")) {
    field.expect_keys({"name", "threads", "head"});
    importance.head = head->text();
  } else {  // from before there was a choice
    field.expect_keys({"name", "threads"});
  }
  importance.machine = field.member("name").text();
  importance.threads = field.member("threads").small_integer(1, 1 << 16);
}

}  // namespace

std::string to_json(const Importance& importance) {
  const auto quoted = [](const std::string& text) {
    return OrderedJson(text).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  };
  std::string text = fmt::format("{{\n  \"schema_version\": {},\n", Importance::SCHEMA_VERSION);
  text += fmt::format("  \"model\": {{\"name\": {}, \"hash\": {}, \"layers\": {}}},\n",
                      quoted(importance.model_name), quoted(importance.model_hash),
                      importance.layer_count());
  text += fmt::format("  \"program\": {{\"name\": {}, \"hash\": {}}},\n",
                      quoted(importance.program), quoted(importance.program_hash));
  text += fmt::format("  \"questions\": {{\"set\": {}, \"hashes\": {}}},\n",
                      quoted(importance.question_set), OrderedJson(importance.questions).dump());
  text += fmt::format(
      "  \"machine\": {{\"name\": {}, \"threads\": {}{}}},\n", quoted(importance.machine),
      importance.threads,
      importance.head.empty() ? "" : fmt::format(", \"head\": {}", quoted(importance.head)));
  text += fmt::format("  \"versions\": {{\"litestage\": {}, \"ggml\": {}}},\n  \"stages\": [\n",
                      quoted(importance.litestage_version), quoted(importance.ggml_version));
  for (const StageImportance& stage : importance.stages)
    text += stage_text(stage) + (&stage == &importance.stages.back() ? "\n" : ",\n");
  return text + "  ]\n}\n";
}

Importance parse_importance(std::string_view json, const std::string& where) {
  const nlohmann::json value = parse_json(json, where);
  const JsonField root(value, where);
  // Looked at first: another version may have other keys.
  if (root.member("schema_version").integer(0, JsonField::LARGEST_COUNT) !=
      Importance::SCHEMA_VERSION) {
    root.member("schema_version")
        .fail(fmt::format("{} is not the version this program reads, which is {}",
                          value["schema_version"].dump(), Importance::SCHEMA_VERSION),
              "measure anew with 'litestage profile'");
  }
  root.expect_keys(
      {"schema_version", "model", "program", "questions", "machine", "versions", "stages"});
  root.member("model").expect_keys({"name", "hash", "layers"});
  root.member("program").expect_keys({"name", "hash"});
  root.member("questions").expect_keys({"set", "hashes"});
  root.member("versions").expect_keys({"litestage", "ggml"});

  Importance importance;
  importance.model_name = root.member("model").member("name").text();
  importance.model_hash = root.member("model").member("hash").text();
  importance.program = root.member("program").member("name").text();
  importance.program_hash = root.member("program").member("hash").text();
  importance.question_set = root.member("questions").member("set").text();
  for (const JsonField& hash : root.member("questions").member("hashes").elements())
    importance.questions.push_back(hash.text());
  read_machine(root.member("machine"), importance);
  importance.litestage_version = root.member("versions").member("litestage").text();
  importance.ggml_version = root.member("versions").member("ggml").text();
  const auto layers = root.member("model").member("layers").integer(1, MAX_LAYERS);
  read_stages(root.member("stages"), static_cast<std::size_t>(layers), importance);
  return importance;
}

Importance load_importance(const std::string& path) {
  return parse_importance(read_text_file(path), path);
}

}  // namespace litestage
