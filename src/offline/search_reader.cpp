#include <algorithm>
#include <cassert>
#include <initializer_list>
#include <limits>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_field.h"
#include "base/json_read.h"
#include "base/text_file.h"
#include "offline/search_json.h"
#include "skip/exit_rule_json.h"

namespace litestage {
namespace {

constexpr int MOST_COUNTED = 1 << 24;    // questions: more than anyone runs
constexpr double LARGEST_FIGURE = 1e15;  // of milliseconds, tokens, choices

double number_or(const JsonField& field, double low, double high, double for_null) {
  return field.is_null() ? for_null : field.number(low, high);
}

/// One of an enumeration's names.
template <typename T>
T read_word(const JsonField& field, std::initializer_list<T> values) {
  const std::string word = field.text();
  std::string known;
  for (const T value : values) {
    if (to_string(value) == word) return value;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", to_string(value));
  }
  field.fail(fmt::format("cannot be \"{}\"", word), "it is one of " + known);
}

/// Reads one search file; what later parts are checked against is read first.
class SearchReader {
 public:
  SearchReader(const nlohmann::json& json, const std::string& where)
      : json_(json), where_(where), root_(json, where) {}

  SearchFile read() {
    root_.expect_keys({"schema", "options", "start", "full", "chosen", "totals", "stage_order",
                       "stages", "sweeps", "early_answers", "plan"});
    root_.member("schema").small_integer(SearchFile::SCHEMA_VERSION, SearchFile::SCHEMA_VERSION);
    file_.plan = parse_plan(json_.at("plan").dump(), where_ + ": plan");
    read_options(root_.member("options"));
    for (const JsonField& stage : root_.member("stages").elements())
      file_.stages.push_back(read_stage(stage));
    check_stages();
    file_.result.start = read_choice(root_.member("start"));
    read_full(root_.member("full"));
    read_chosen(root_.member("chosen"));
    read_totals(root_.member("totals"));
    for (const JsonField& name : root_.member("stage_order").elements())
      file_.result.stage_order.push_back(file_.stages[read_stage_name(name)].stage);
    for (const JsonField& record : root_.member("sweeps").elements())
      file_.result.sweeps.push_back(read_record(record));
    if (const JsonField early = root_.member("early_answers"); !early.is_null()) read_early(early);
    return std::move(file_);
  }

 private:
  void read_options(const JsonField& field) {
    field.expect_keys({"method", "max_loss", "racing_error", "bound_level"});
    file_.options.method =
        read_word(field.member("method"), {SearchMethod::paper, SearchMethod::latency});
    file_.options.max_loss = field.member("max_loss").number(0, 100);
    file_.options.racing_error = field.member("racing_error").number(0, 0.5);
    file_.options.bound_level = field.member("bound_level").number(0.5, 0.999999);
    if (file_.options.bound_level == 0.5) field.member("bound_level").fail("must be above 0.5");
  }

  StageCandidates read_stage(const JsonField& field) const {
    field.expect_keys({"name", "candidates"});
    StageCandidates stage{field.member("name").text(), {}};
    for (const JsonField& candidate : field.member("candidates").elements())
      stage.candidates.push_back(read_candidate(candidate));
    if (stage.candidates.empty()) field.member("candidates").fail("is empty");
    return stage;
  }

  Candidate read_candidate(const JsonField& field) const {
    field.expect_keys({"label", "prefill", "decode", "exit", "predicted_ms", "damage"});
    Candidate candidate;
    candidate.label = field.member("label").text();
    candidate.settings.prefill = read_mask(field.member("prefill"));
    candidate.settings.decode = read_mask(field.member("decode"));
    if (const JsonField exit = field.member("exit"); !exit.is_null())
      candidate.settings.exit = read_exit_rule(exit);
    candidate.predicted_ms = field.member("predicted_ms").number(0, LARGEST_FIGURE);
    candidate.damage = read_damage(field.member("damage"));
    return candidate;
  }

  SublayerMask read_mask(const JsonField& field) const {
    return SublayerMask::parse(field.text(), file_.plan.layers, field.where());
  }

  static double read_damage(const JsonField& field) {
    return number_or(field, 0, LARGEST_FIGURE, std::numeric_limits<double>::quiet_NaN());
  }

  /// The candidates are for the plan's stages.
  void check_stages() const {
    const auto& planned = file_.plan.stages;
    const bool alike = std::ranges::equal(
        planned, file_.stages, {}, [](const auto& stage) { return stage.first; },
        [](const StageCandidates& stage) { return stage.stage; });
    if (!alike) root_.member("stages").fail("are not the plan's stages, in its order");
  }

  std::size_t read_stage_name(const JsonField& field) const {
    const std::string name = field.text();
    const auto found = std::ranges::find(file_.stages, name, &StageCandidates::stage);
    if (found == file_.stages.end()) field.fail(fmt::format("there is no stage '{}'", name));
    return static_cast<std::size_t>(found - file_.stages.begin());
  }

  void read_full(const JsonField& field) {
    field.expect_keys({"questions", "correct", "accuracy", "time", "written"});
    MeasuredAccuracy& accuracy = file_.result.accuracy;
    accuracy.bound_level = file_.options.bound_level;
    accuracy.questions = field.member("questions").small_integer(0, MOST_COUNTED);
    accuracy.full_correct = field.member("correct").small_integer(0, accuracy.questions);
    file_.result.full_time = read_time(field.member("time"));
    file_.result.full_written = read_per_stage(field.member("written"));
  }

  void read_chosen(const JsonField& field) {
    field.expect_keys(
        {"choice", "correct", "lost", "gained", "accuracy", "loss", "loss_bound", "time"});
    MeasuredAccuracy& accuracy = file_.result.accuracy;
    file_.result.chosen = read_choice(field.member("choice"));
    accuracy.plan_correct = field.member("correct").small_integer(0, accuracy.questions);
    accuracy.lost = field.member("lost").small_integer(0, accuracy.full_correct);
    accuracy.gained = field.member("gained").small_integer(0, accuracy.plan_correct);
    if (accuracy.full_correct - accuracy.lost + accuracy.gained != accuracy.plan_correct)
      field.member("correct").fail("must be the full model's, less 'lost', plus 'gained'");
    accuracy.loss_bound = field.member("loss_bound").number(-100, 100);
    file_.result.chosen_time = read_time(field.member("time"));
  }

  void read_totals(const JsonField& field) {
    field.expect_keys({"trials", "trials_without_racing", "choices"});
    constexpr auto MOST = std::numeric_limits<std::int64_t>::max();
    file_.result.trials = field.member("trials").integer(0, MOST);
    file_.result.trials_without_racing = field.member("trials_without_racing").integer(0, MOST);
    const bool has_choices = std::ranges::any_of(
        file_.stages, [](const StageCandidates& stage) { return stage.candidates.size() > 1; });
    file_.result.choices =
        field.member("choices").number(has_choices ? 1 : 0, std::numeric_limits<double>::max());
  }

  Choice read_choice(const JsonField& field) const {
    const std::vector<JsonField> indices = field.elements();
    if (indices.size() != file_.stages.size())
      field.fail(fmt::format("must have {} entries, one a stage", file_.stages.size()));
    Choice choice;
    for (std::size_t stage = 0; stage < indices.size(); ++stage) {
      const auto candidates = static_cast<int>(file_.stages[stage].candidates.size());
      choice.push_back(indices[stage].small_integer(0, candidates - 1));
    }
    return choice;
  }

  /// One number a stage; empty where nothing was run.
  std::vector<double> read_per_stage(const JsonField& field) const {
    std::vector<double> numbers;
    for (const JsonField& element : field.elements())
      numbers.push_back(element.number(0, LARGEST_FIGURE));
    if (!numbers.empty() && numbers.size() != file_.stages.size())
      field.fail(fmt::format("must have {} entries, one a stage", file_.stages.size()));
    return numbers;
  }

  TimedChoice read_time(const JsonField& field) const {
    field.expect_keys({"ms", "ms_error", "stage_ms"});
    TimedChoice time;
    time.ms = field.member("ms").number(0, LARGEST_FIGURE);
    time.ms_error = field.member("ms_error").number(0, LARGEST_FIGURE);
    time.stage_ms = read_per_stage(field.member("stage_ms"));
    return time;
  }

  SweepRecord read_record(const JsonField& field) const {
    field.expect_keys({"stage", "candidate", "choice", "damage", "verdict", "questions", "correct",
                       "lost", "gained", "accuracy", "loss", "time", "written"});
    SweepRecord record;
    const std::size_t stage = read_stage_name(field.member("stage"));
    record.stage = file_.stages[stage].stage;
    record.choice = read_choice(field.member("choice"));
    record.candidate = field.member("candidate").small_integer(0, MOST_COUNTED);
    if (record.candidate != record.choice[stage])
      field.member("candidate").fail("is not what 'choice' says of this stage");
    record.damage = read_damage(field.member("damage"));
    record.verdict = read_word(field.member("verdict"),
                               {Verdict::chosen, Verdict::slower, Verdict::over_limit,
                                Verdict::raced_out, Verdict::not_run, Verdict::refuted});
    read_counts(field, record);
    const JsonField time = field.member("time");
    if (!time.is_null()) record.time = read_time(time);
    const bool accepted = record.verdict == Verdict::chosen || record.verdict == Verdict::slower;
    if (record.time.has_value() != accepted)
      time.fail(accepted ? "is missing for a candidate that was accepted"
                         : "must be null for a candidate that was not accepted");
    record.written = read_per_stage(field.member("written"));
    if (record.questions > 0 && record.written.empty())
      field.member("written").fail("is missing for a candidate that answered questions");
    return record;
  }

  void read_counts(const JsonField& field, SweepRecord& record) const {
    record.questions = field.member("questions").small_integer(0, file_.result.accuracy.questions);
    record.correct = field.member("correct").small_integer(0, record.questions);
    record.lost = field.member("lost").small_integer(0, record.questions - record.correct);
    record.gained = field.member("gained").small_integer(0, record.correct);
  }

  void read_early(const JsonField& field) {
    field.expect_keys({"chosen", "candidates"});
    for (const JsonField& candidate : field.member("candidates").elements())
      file_.early.candidates.push_back(read_early_candidate(candidate));
    if (file_.early.candidates.empty()) field.member("candidates").fail("is empty");
    const auto last = static_cast<int>(file_.early.candidates.size()) - 1;
    file_.early.chosen = static_cast<std::size_t>(field.member("chosen").small_integer(0, last));
  }

  EarlyCandidate read_early_candidate(const JsonField& field) const {
    field.expect_keys({"leave_at", "most_branches", "ask_first", "questions", "correct", "lost",
                       "gained", "left", "accuracy", "ms"});
    EarlyCandidate candidate;
    candidate.early.leave_at = number_or(field.member("leave_at"), 0, 1, EarlyAnswers::NEVER);
    candidate.early.most_branches = field.member("most_branches").small_integer(0, MOST_COUNTED);
    candidate.early.ask_first = field.member("ask_first").flag();
    candidate.questions =
        field.member("questions").small_integer(0, file_.result.accuracy.questions);
    candidate.correct = field.member("correct").small_integer(0, candidate.questions);
    candidate.lost = field.member("lost").small_integer(0, candidate.questions - candidate.correct);
    candidate.gained = field.member("gained").small_integer(0, candidate.correct);
    candidate.left = field.member("left").small_integer(0, candidate.questions);
    candidate.ms = field.member("ms").number(0, LARGEST_FIGURE);
    return candidate;
  }

  const nlohmann::json& json_;
  const std::string& where_;
  JsonField root_;
  SearchFile file_;
};

}  // namespace

std::vector<std::pair<std::string, StageSettings>> SearchFile::settings(
    const Choice& choice) const {
  assert(choice.size() == stages.size());
  std::vector<std::pair<std::string, StageSettings>> all;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    const auto index = static_cast<std::size_t>(choice[stage]);
    all.emplace_back(stages[stage].stage, stages[stage].candidates[index].settings);
  }
  return all;
}

SearchFile parse_search(std::string_view json, const std::string& where) {
  const nlohmann::json value = parse_json_strictly(json, where);
  return SearchReader(value, where).read();
}

SearchFile load_search(const std::string& path) {
  return parse_search(read_text_file(path), path);
}

}  // namespace litestage
