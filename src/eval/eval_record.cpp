#include "eval/eval_record.h"

#include <algorithm>
#include <limits>
#include <set>
#include <span>
#include <utility>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_field.h"
#include "base/json_list.h"
#include "base/json_read.h"
#include "base/text_file.h"
#include "base/utf8.h"
#include "eval/stage_json.h"
#include "litestage/error.h"

namespace litestage {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr double LEAST_MS = 1e-9;  // ratios of times are taken
constexpr double LONGEST_MS = 1e12;
constexpr int MOST_THREADS = 1 << 16;

/// Names come from files, and the reader refuses control characters.
OrderedJson arm_json(const EvalArm& arm) {
  OrderedJson json;
  json["task"] = displayable(arm.task);
  json["policy"] = displayable(arm.policy);
  json["program"] = {{"name", displayable(arm.program)}, {"hash", arm.program_hash}};
  json["model"] = {{"name", displayable(arm.model_name)}, {"hash", arm.model_hash}};
  json["settings"] = displayable(arm.settings);
  json["tuned_on"] = arm.tuned_on;
  return json;
}

EvalArm read_arm(const JsonField& field) {
  field.expect_keys({"task", "policy", "program", "model", "settings", "tuned_on"});
  field.member("program").expect_keys({"name", "hash"});
  field.member("model").expect_keys({"name", "hash"});
  EvalArm arm;
  arm.task = field.member("task").text();
  arm.policy = field.member("policy").text();
  arm.program = field.member("program").member("name").text();
  arm.program_hash = field.member("program").member("hash").text();
  arm.model_name = field.member("model").member("name").text();
  arm.model_hash = field.member("model").member("hash").text();
  arm.settings = field.member("settings").text();
  for (const JsonField& hash : field.member("tuned_on").elements())
    arm.tuned_on.push_back(hash.text());
  return arm;
}

std::vector<EvalArm> read_arms(const JsonField& field) {
  std::vector<EvalArm> arms;
  for (const JsonField& element : field.elements()) {
    arms.push_back(read_arm(element));
    const EvalArm& last = arms.back();
    const auto same = [&](const EvalArm& arm) {
      return arm.task == last.task && arm.policy == last.policy;
    };
    if (std::find_if(arms.begin(), arms.end(), same) != std::prev(arms.end())) {
      element.fail(fmt::format("policy {} is there twice on task {}", last.policy, last.task));
    }
  }
  if (arms.empty()) field.fail("has no arm");
  return arms;
}

EvalHeader read_header(const JsonField& field) {
  // Looked at first: another version may have other keys.
  const JsonField version = field.member("schema_version");
  if (const auto number = version.integer(0, JsonField::LARGEST_COUNT);
      number != EvalHeader::SCHEMA_VERSION) {
    version.fail(fmt::format("{} is not the version this program reads, which is {}", number,
                             EvalHeader::SCHEMA_VERSION),
                 "evaluate anew with 'litestage eval'");
  }
  field.expect_keys({"schema_version", "arms", "machine", "seed", "versions", "created"});
  field.member("machine").expect_keys({"name", "threads"});
  field.member("versions").expect_keys({"litestage", "ggml"});
  EvalHeader header;
  header.arms = read_arms(field.member("arms"));
  header.machine = field.member("machine").member("name").text();
  header.threads = field.member("machine").member("threads").small_integer(1, MOST_THREADS);
  header.seed = static_cast<std::uint32_t>(
      field.member("seed").integer(0, std::numeric_limits<std::uint32_t>::max()));
  header.litestage_version = field.member("versions").member("litestage").text();
  header.ggml_version = field.member("versions").member("ggml").text();
  header.created = field.member("created").text();
  return header;
}

EvalRecord read_record(const JsonField& field, const EvalHeader& header) {
  field.expect_keys({"arm", "id", "question_hash", "question", "options", "gold", "prediction",
                     "correct", "stages", "total_ms"});
  EvalRecord record;
  record.arm = static_cast<int>(
      field.member("arm").integer(0, static_cast<std::int64_t>(header.arms.size()) - 1));
  record.id = field.member("id").raw_text();
  record.question_hash = field.member("question_hash").text();
  record.question = field.member("question").raw_text();
  record.options = read_options(field.member("options"));
  record.gold = field.member("gold").raw_text();
  if (const JsonField prediction = field.member("prediction"); !prediction.is_null())
    record.prediction = prediction.raw_text();
  record.correct = field.member("correct").flag();
  for (const JsonField& stage : field.member("stages").elements())
    record.stages.push_back(read_stage_record(stage));
  if (const JsonField total = field.member("total_ms"); !total.is_null())
    record.total_ms = total.number(LEAST_MS, LONGEST_MS);
  return record;
}

}  // namespace

std::string to_json_line(const EvalHeader& header) {
  OrderedJson json;
  json["schema_version"] = EvalHeader::SCHEMA_VERSION;
  json["arms"] = OrderedJson::array();
  for (const EvalArm& arm : header.arms)
    json["arms"].push_back(arm_json(arm));
  json["machine"] = {{"name", displayable(header.machine)}, {"threads", header.threads}};
  json["seed"] = header.seed;
  json["versions"] = {{"litestage", header.litestage_version}, {"ggml", header.ggml_version}};
  json["created"] = header.created;
  return json_line(json);
}

std::string to_json_line(const EvalRecord& record) {
  OrderedJson json;
  json["arm"] = record.arm;
  json["id"] = record.id;
  json["question_hash"] = record.question_hash;
  json["question"] = record.question;
  json["options"] = options_json(record.options);
  json["gold"] = record.gold;
  json["prediction"] =
      record.prediction.empty() ? OrderedJson(nullptr) : OrderedJson(record.prediction);
  json["correct"] = record.correct;
  json["stages"] = OrderedJson::array();
  for (const EvalStage& stage : record.stages)
    json["stages"].push_back(stage_json(stage));
  json["total_ms"] = record.timed() ? OrderedJson(record.total_ms) : OrderedJson(nullptr);
  return json_line(json);
}

EvalRun parse_eval_run(std::string_view text, const std::string& where) {
  const std::size_t end = text.rfind('\n');
  const std::vector<JsonElement> lines =
      split_lines(end == std::string_view::npos ? std::string_view() : text.substr(0, end));
  if (lines.empty()) {
    throw UserError(where, "there is no header line",
                    "name a file that 'litestage eval' has written");
  }
  const auto read_line = [&where](const JsonElement& line, const auto& read) {
    const nlohmann::json value = parse_json(line.text, where, line.position);
    return read(JsonField(value, located(where, line.position.line)));
  };
  EvalRun run;
  run.header = read_line(lines[0], read_header);
  std::set<std::pair<int, std::string>> seen;
  for (const JsonElement& line : std::span(lines).subspan(1)) {
    EvalRecord record =
        read_line(line, [&run](const JsonField& field) { return read_record(field, run.header); });
    if (!seen.emplace(record.arm, record.id).second) {
      throw UserError(
          located(where, line.position.line),
          fmt::format("arm {} has answered the question {} before", record.arm, record.id),
          "keep one of the two lines");
    }
    run.records.push_back(std::move(record));
  }
  return run;
}

EvalRun load_eval_run(const std::string& path) {
  return parse_eval_run(read_text_file(path), path);
}

}  // namespace litestage
