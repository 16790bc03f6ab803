#include <charconv>
#include <limits>
#include <set>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_field.h"
#include "base/json_read.h"
#include "litestage/plan.h"
#include "skip/exit_rule_json.h"

namespace litestage {
namespace {

constexpr int MOST_IN_PLAN = 1 << 24;  // questions, repeats: more than anyone runs
constexpr int MOST_PLAN_THREADS = 1024;
constexpr int MOST_BRANCHES = 26;        // of a question: one a letter
constexpr double LARGEST_IN_PLAN = 1e9;  // of milliseconds, tokens
constexpr const char* HEX = "0123456789abcdef";

/// A text of so many lower-case hexadecimal digits.
std::string read_hash(const JsonField& field, std::size_t digits) {
  std::string hash = field.text();
  if (hash.size() != digits || hash.find_first_not_of(HEX) != std::string::npos)
    field.fail(fmt::format("must be {} hexadecimal digits in small letters", digits));
  return hash;
}

constexpr std::size_t SHA256_DIGITS = 64;
constexpr std::size_t QUESTION_DIGITS = 16;  // of question_hash

double read_positive(const JsonField& field) {
  const double value = field.number(0, LARGEST_IN_PLAN);
  if (value == 0) field.fail("must be more than 0");
  return value;
}

struct SublayerKey {
  Sublayer sublayer = Sublayer::attention;
  int layer = 0;
};

SublayerKey read_sublayer_key(const std::string& key, const JsonField& field, int layers) {
  SublayerKey parsed;
  bool is_key = key.size() >= 2 && (key[0] == 'a' || key[0] == 'f') && key[1] >= '0' &&
                key[1] <= '9' && (key[1] != '0' || key.size() == 2);
  if (is_key) {
    const char* end = key.data() + key.size();
    const auto [stopped, error] = std::from_chars(key.data() + 1, end, parsed.layer);
    if (error == std::errc::result_out_of_range) parsed.layer = std::numeric_limits<int>::max();
    is_key = stopped == end;
  }
  if (!is_key) {
    field.fail("names no sublayer",
               "write a key like a3 (attention of layer 3) or f10 (FFN of layer 10)");
  }
  if (parsed.layer >= layers)
    field.fail(fmt::format("the model has {} layers, numbered 0 to {}", layers, layers - 1));
  parsed.sublayer = key[0] == 'a' ? Sublayer::attention : Sublayer::ffn;
  return parsed;
}

/// Whether a level leaves the sublayer out (0) or keeps it whole (1).
bool read_level(const JsonField& field) {
  const double level = field.number(0, 1);
  if (level != 0 && level != 1) {
    field.fail("levels between 0 and 1 are not supported yet",
               "write 0 to leave the sublayer out, or 1 to keep it whole");
  }
  return level == 0;
}

/// What the residual stream is multiplied by in the place of a sublayer that is left out.
float read_scale(const JsonField& field) {
  constexpr double LARGEST_SCALE = 1e30;
  const auto scale = static_cast<float>(field.number(0, LARGEST_SCALE));
  if (scale == 0) field.fail("must be more than 0");
  return scale;
}

SublayerMask read_mask(const JsonField& field, int layers) {
  SublayerMask mask;
  for (const auto& [key, value] : field.members()) {
    const auto [sublayer, layer] = read_sublayer_key(key, value, layers);
    if (!value.is_object()) {
      if (read_level(value)) mask.skip(sublayer, layer);
      continue;
    }
    value.expect_keys({"level", "scale"});
    if (!read_level(value.member("level"))) {
      value.member("scale").fail("a scale stands in the place of a sublayer that is left out",
                                 "set the level to 0, or write 1 in place of the object");
    }
    mask.skip(sublayer, layer, read_scale(value.member("scale")));
  }
  return mask;
}

StageSettings read_settings(const JsonField& field, int layers) {
  StageSettings settings;
  const JsonField prefill = field.member("prefill");
  settings.prefill = read_mask(prefill, layers);
  settings.decode = read_mask(field.member("decode"), layers);
  settings.exit = read_exit_rule(field.member("exit"));
  for (int layer = 0; layer < layers; ++layer) {
    if (!settings.prefill.skips(Sublayer::attention, layer) ||
        settings.decode.skips(Sublayer::attention, layer))
      continue;
    const std::string key = fmt::format("a{}", layer);
    prefill.member(key).fail(
        "attention that is left out while reading must be left out while writing too",
        fmt::format("put \"{}\": 0 into decode as well, or take it out of prefill", key));
  }
  return settings;
}

std::vector<std::pair<std::string, StageSettings>> read_stages(const JsonField& field, int layers) {
  std::vector<std::pair<std::string, StageSettings>> stages;
  std::set<std::string> names;
  for (const JsonField& element : field.elements()) {
    element.expect_keys({"name", "prefill", "decode", "exit"});
    const JsonField field_of_name = element.member("name");
    const std::string name = field_of_name.text();
    if (name.empty()) field_of_name.fail("is empty", "name a stage of the program");
    if (!names.insert(name).second)
      field_of_name.fail(fmt::format("there are two stages '{}'", name), "keep one");
    stages.emplace_back(name, read_settings(element, layers));
  }
  if (stages.empty()) field.fail("there is no stage", "a plan has one for each of its program");
  return stages;
}

MeasuredAccuracy read_accuracy(const JsonField& field) {
  field.expect_keys(
      {"questions", "full_correct", "plan_correct", "lost", "gained", "loss_bound", "bound_level"});
  MeasuredAccuracy accuracy;
  const int questions = field.member("questions").small_integer(1, MOST_IN_PLAN);
  accuracy.questions = questions;
  accuracy.full_correct = field.member("full_correct").small_integer(0, questions);
  accuracy.plan_correct = field.member("plan_correct").small_integer(0, questions);
  accuracy.lost = field.member("lost").small_integer(0, accuracy.full_correct);
  accuracy.gained = field.member("gained").small_integer(0, questions - accuracy.full_correct);
  if (accuracy.plan_correct != accuracy.full_correct - accuracy.lost + accuracy.gained)
    field.member("plan_correct").fail("is not full_correct - lost + gained");
  constexpr double ALL_POINTS = 100;
  accuracy.loss_bound = field.member("loss_bound").number(-ALL_POINTS, ALL_POINTS);
  accuracy.bound_level = field.member("bound_level").number(0, 1);
  return accuracy;
}

MeasuredLatency read_latency(const JsonField& field) {
  field.expect_keys({"questions", "repeats", "full_ms", "plan_ms", "speedup", "speedup_low",
                     "speedup_high", "full_tokens", "plan_tokens"});
  MeasuredLatency latency;
  latency.questions = field.member("questions").small_integer(1, MOST_IN_PLAN);
  latency.repeats = field.member("repeats").small_integer(1, MOST_IN_PLAN);
  latency.full_ms = read_positive(field.member("full_ms"));
  latency.plan_ms = read_positive(field.member("plan_ms"));
  latency.speedup = read_positive(field.member("speedup"));
  const JsonField low = field.member("speedup_low");
  const JsonField high = field.member("speedup_high");
  constexpr double MOST = std::numeric_limits<double>::max();  // an interval may be very wide
  latency.speedup_low = low.number(0, MOST);
  latency.speedup_high =
      high.is_null() ? std::numeric_limits<double>::infinity() : high.number(0, MOST);
  if (latency.speedup_high < latency.speedup_low) high.fail("is below speedup_low");
  latency.full_tokens = field.member("full_tokens").number(0, LARGEST_IN_PLAN);
  latency.plan_tokens = field.member("plan_tokens").number(0, LARGEST_IN_PLAN);
  return latency;
}

std::string read_method(const JsonField& field) {
  std::string method = field.text();
  if (method != "latency" && method != "paper" && method != "hand")
    field.fail(fmt::format("there is no method \"{}\"", method), "use latency, paper or hand");
  return method;
}

/// "2026-01-31T12:00:00Z", or nothing.
std::string read_time(const JsonField& field) {
  std::string time = field.text();
  constexpr std::string_view FORM = "dddd-dd-ddTdd:dd:ddZ";
  bool fits = time.empty() || time.size() == FORM.size();
  for (std::size_t i = 0; fits && i < time.size(); ++i)
    fits = FORM[i] == 'd' ? time[i] >= '0' && time[i] <= '9' : time[i] == FORM[i];
  if (!fits) field.fail("is no time in UTC", "write it like 2026-01-31T12:00:00Z");
  return time;
}

PlanOrigin read_origin(const JsonField& field) {
  field.expect_keys({"method", "max_loss", "litestage_version", "ggml_version", "machine",
                     "threads", "seed", "question_set", "created", "questions"},
                    {"head"});  // plans from before heads were noted lack it
  PlanOrigin origin;
  if (const auto head = field.optional_member("head")) origin.head = head->text();
  origin.method = read_method(field.member("method"));
  constexpr double ALL_POINTS = 100;
  origin.max_loss = field.member("max_loss").number(0, ALL_POINTS);
  origin.litestage_version = field.member("litestage_version").text();
  origin.ggml_version = field.member("ggml_version").text();
  origin.machine = field.member("machine").text();
  origin.threads = field.member("threads").small_integer(0, MOST_PLAN_THREADS);
  origin.seed = static_cast<std::uint32_t>(
      field.member("seed").integer(0, std::numeric_limits<std::uint32_t>::max()));
  origin.question_set = field.member("question_set").text();
  origin.created = read_time(field.member("created"));
  for (const JsonField& question : field.member("questions").elements())
    origin.questions.push_back(read_hash(question, QUESTION_DIGITS));
  return origin;
}

KvReuse read_kv_reuse(const JsonField& field) {
  const std::string word = field.text();
  for (const KvReuse reuse : {KvReuse::exact, KvReuse::whole}) {
    if (word == to_string(reuse)) return reuse;
  }
  field.fail(fmt::format("cannot be \"{}\"", word), "it is exact or whole");
}

EarlyAnswers read_early_answers(const JsonField& field) {
  field.expect_keys({"leave_at", "most_branches", "ask_first"});
  EarlyAnswers early;
  if (const JsonField margin = field.member("leave_at"); !margin.is_null())
    early.leave_at = margin.number(0, 1);
  early.most_branches = field.member("most_branches").small_integer(0, MOST_BRANCHES);
  early.ask_first = field.member("ask_first").flag();
  if (!early.any()) field.fail("asks for nothing", "write null");
  return early;
}

/// Before everything else: a later version may have other keys.
void check_schema(const JsonField& plan) {
  const JsonField field = plan.member("schema");
  const std::int64_t version = field.integer(1, MOST_IN_PLAN);
  if (version > Plan::SCHEMA_VERSION) {
    field.fail(fmt::format("the plan has version {} of the schema, this litestage reads up to {}",
                           version, Plan::SCHEMA_VERSION),
               "install a newer litestage");
  }
}

}  // namespace

Plan parse_plan(std::string_view json, const std::string& where) {
  const nlohmann::json value = parse_json_strictly(json, where);
  const JsonField root(value, where);
  check_schema(root);
  root.expect_keys({"schema", "model", "program", "kv_reuse", "stages", "early_answers", "accuracy",
                    "latency", "origin"});
  const JsonField model = root.member("model");
  const JsonField program = root.member("program");
  model.expect_keys({"name", "hash", "layers"});
  program.expect_keys({"name", "hash"});

  Plan plan;
  plan.model_name = model.member("name").text();
  plan.model_hash = read_hash(model.member("hash"), SHA256_DIGITS);
  plan.layers = model.member("layers").small_integer(1, MAX_LAYERS);
  plan.program = program.member("name").text();
  plan.program_hash = read_hash(program.member("hash"), SHA256_DIGITS);
  plan.kv_reuse = read_kv_reuse(root.member("kv_reuse"));
  plan.stages = read_stages(root.member("stages"), plan.layers);
  const JsonField early = root.member("early_answers");
  if (!early.is_null()) plan.early = read_early_answers(early);
  const JsonField accuracy = root.member("accuracy");
  const JsonField latency = root.member("latency");
  if (!accuracy.is_null()) plan.accuracy = read_accuracy(accuracy);
  if (!latency.is_null()) plan.latency = read_latency(latency);
  plan.origin = read_origin(root.member("origin"));
  return plan;
}

}  // namespace litestage
