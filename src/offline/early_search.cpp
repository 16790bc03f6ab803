#include "offline/early_search.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "base/statistics.h"
#include "litestage/pipeline.h"
#include "offline/decoder_timing.h"
#include "offline/program_world.h"
#include "skip/exit_rule_json.h"
#include "stage/early_answer.h"

namespace litestage {
namespace {

/// Mean milliseconds of each stage, looks among them, by timed_name().
using MsOfStages = std::map<std::string, double>;

/// The look before the first stage, which reads the question, as against those after a stage.
constexpr const char* FIRST_LOOK = "early-answer before all stages";

/// The largest margin there is: looks are taken, and hardly any stops a question.
constexpr double LOOK_ONLY = 1;

/// How questions are asked and branched: EarlyAnswers without its margin.
struct Way {
  int most_branches = 0;
  bool ask_first = false;
  auto operator<=>(const Way&) const = default;

  EarlyAnswers looking() const { return {LOOK_ONLY, most_branches, ask_first}; }
  std::string label() const {
    const std::string branches =
        most_branches == 0 ? "all branches" : fmt::format("{} branches", most_branches);
    return branches + (ask_first ? ", asked first" : "");
  }
};

bool can_answer_early(const EarlySearchInput& input) {
  const auto has_options = [](const Question& question) { return !question.options.empty(); };
  return input.program.early_answer && std::ranges::any_of(input.questions, has_options);
}

/// Branch numbers worth a try: all, and a few of the likeliest where there are more.
std::vector<int> branch_numbers(const EarlySearchInput& input) {
  std::vector<int> numbers = {0};
  const auto& stages = input.program.stages;
  // Before the first stage nothing was asked.
  if (std::none_of(stages.begin() + 1, stages.end(),
                   [](const Stage& stage) { return stage.for_each_option; }))
    return numbers;
  std::size_t most = 0;
  for (const Question& question : input.questions)
    most = std::max(most, question.options.size());
  for (const int few : {2, 3}) {
    if (static_cast<std::size_t>(few) < most) numbers.push_back(few);
  }
  return numbers;
}

/// The plainest way first.
std::vector<Way> ways_to_try(const EarlySearchInput& input) {
  std::vector<Way> ways;
  for (const int number : branch_numbers(input)) {
    ways.push_back({number, false});
    if (can_ask_first(input.program)) ways.push_back({number, true});
  }
  return ways;
}

/// One search of early answers, from trials to candidates.
class EarlySearch {
 public:
  EarlySearch(const EarlySearchInput& input, const EarlySearchOptions& options,
              const std::function<void(const EarlySearchProgress&)>& progress,
              const std::atomic<bool>* stop)
      : input_(input), options_(options), progress_(progress), stop_(stop) {}

  std::optional<EarlySweep> run() {
    const std::vector<Way> ways = ways_to_try(input_);
    const auto full = answers("full model", full_model(input_.plan.kv_reuse));
    if (!full) return std::nullopt;
    Plan plan = input_.plan;
    plan.early = {};
    const auto planned = answers("plan", plan);
    if (!planned) return std::nullopt;
    std::map<Way, std::vector<QuestionRecord>> records;
    for (const Way& way : ways) {
      plan.early = way.looking();
      auto asked = answers(way.label(), plan);
      if (!asked) return std::nullopt;
      records.emplace(way, std::move(*asked));
    }
    const auto times = stage_times(ways);
    if (!times) return std::nullopt;
    EarlyBase base{correct(*full), correct(*planned), 0};
    for (const auto& [stage, ms] : times->at(ways.front()))
      base.ms += stage == early_answer_stage().name ? 0 : ms;
    std::vector<EarlyArm> arms;
    for (const Way& way : ways) {
      EarlyArm& arm = arms.emplace_back(EarlyArm{way.most_branches, way.ask_first, {}});
      for (const QuestionRecord& record : records.at(way))
        arm.trials.push_back(trial_of(record, times->at(way)));
    }
    return sweep_early_answers(base, arms, options_.max_loss);
  }

 private:
  std::optional<std::vector<QuestionRecord>> answers(const std::string& what, const Plan& plan) {
    int right = 0;
    return answer_all(
        input_.who, input_.program, plan, input_.store, input_.questions,
        [&](int done, const QuestionRecord& record) {
          right += is_correct(record.question, record.answer) ? 1 : 0;
          if (progress_) progress_({what, done, static_cast<int>(input_.questions.size()), right});
        },
        stop_);
  }

  static std::vector<bool> correct(const std::vector<QuestionRecord>& records) {
    std::vector<bool> all;
    for (const QuestionRecord& record : records)
      all.push_back(is_correct(record.question, record.answer));
    return all;
  }

  /// What the time of a question's stage is kept under.
  static std::string timed_name(const QuestionRecord& record, std::size_t stage) {
    const std::string& name = record.stages[stage].name;
    return stage == 0 && name == early_answer_stage().name ? FIRST_LOOK : name;
  }

  static EarlyTrial trial_of(const QuestionRecord& record, const MsOfStages& times) {
    EarlyTrial trial;
    for (std::size_t i = 0; i < record.stages.size(); ++i) {
      const StageRecord& stage = record.stages[i];
      // Branches are one stage.
      if (i == 0 || record.stages[i - 1].name != stage.name)
        trial.ms += times.at(timed_name(record, i));
      if (stage.name == early_answer_stage().name)
        trial.looks.push_back({*stage.margin, is_correct(record.question, stage.text), trial.ms});
    }
    trial.correct = is_correct(record.question, record.answer);
    return trial;
  }

  /// What the stages are run with, for the names of measurements.
  std::string settings_digest() const {
    std::string text = fmt::format("{}\n", to_string(input_.plan.kv_reuse));
    for (const auto& [stage, settings] : input_.plan.stages) {
      text += fmt::format("{} {} {} {}\n", stage, settings.prefill.to_string(),
                          settings.decode.to_string(), exit_rule_json(settings.exit).dump());
    }
    return sha256_hex(text);
  }

  /// The stages, looks among them, that times are kept of.
  std::vector<std::string> timed_names(const Way& way) const {
    std::vector<std::string> names = {early_answer_stage().name};
    if (way.ask_first) names.emplace_back(FIRST_LOOK);
    for (const Stage& stage : input_.program.stages)
      names.push_back(stage.name);
    return names;
  }

  std::string measurement_name(const Way& way) const {
    return fmt::format("{}early answers, {}, {} questions, stages {}, head {}",
                       times_on(machine_name(), input_.who.decoder.options().threads), way.label(),
                       options_.timed_questions, settings_digest(),
                       head_identity(input_.who.decoder));
  }

  std::optional<MsOfStages> known_times(const Way& way) {
    const std::vector<std::string> names = timed_names(way);
    const auto known = input_.store.find_measurement(measurement_name(way));
    if (!known || known->size() != names.size()) return std::nullopt;
    MsOfStages times;
    for (std::size_t i = 0; i < names.size(); ++i)
      times[names[i]] = (*known)[i];
    return times;
  }

  /// For each way, from the store or from real runs that take turns.
  std::optional<std::map<Way, MsOfStages>> stage_times(const std::vector<Way>& ways) {
    std::map<Way, MsOfStages> all;
    for (const Way& way : ways) {
      const auto known = known_times(way);
      if (!known) return measure_times(ways);
      all[way] = *known;
    }
    return all;
  }

  std::optional<std::map<Way, MsOfStages>> measure_times(const std::vector<Way>& ways) {
    std::map<Way, Pipeline> pipelines;
    for (const Way& way : ways) {
      PipelineOptions options = remembered_options(input_.plan, input_.store);
      options.memo = nullptr;
      options.record_confidence = false;
      options.early = way.looking();
      pipelines.try_emplace(way, input_.who.decoder, input_.program, options);
    }
    const std::size_t count =
        std::min(input_.questions.size(), static_cast<std::size_t>(options_.timed_questions));
    std::map<Way, std::map<std::string, std::vector<double>>> taken;
    for (std::size_t i = 0; i <= count; ++i) {  // the first question is run twice: to warm up
      for (std::size_t turn = 0; turn < ways.size(); ++turn) {
        const Way& way = ways[(i + turn) % ways.size()];
        const Question& question = input_.questions[i == 0 ? 0 : i - 1];
        const QuestionRecord record = pipelines.at(way).answer(question, nullptr, stop_);
        if (record.interrupted) return std::nullopt;
        if (progress_)
          progress_({"times", static_cast<int>(i), static_cast<int>(count), std::nullopt});
        if (i == 0) continue;
        MsOfStages own;
        for (std::size_t stage = 0; stage < record.stages.size(); ++stage)
          own[timed_name(record, stage)] +=
              record.stages[stage].prefill_ms + record.stages[stage].decode_ms;
        for (const auto& [stage, ms] : own)
          taken[way][stage].push_back(ms);
      }
    }
    std::map<Way, MsOfStages> means;
    for (const Way& way : ways)
      means[way] = keep_means(way, taken[way]);
    return means;
  }

  /// The means of what stages took, which go into the store.
  MsOfStages keep_means(const Way& way, std::map<std::string, std::vector<double>>& taken) {
    MsOfStages means;
    std::vector<double> ordered;
    for (const std::string& stage : timed_names(way)) {
      // A stage that every timed question left out has no time: it is taken for free.
      means[stage] = taken[stage].empty() ? 0 : mean(taken[stage]);
      ordered.push_back(means[stage]);
    }
    input_.store.store_measurement(measurement_name(way), ordered);
    return means;
  }

  const EarlySearchInput& input_;
  const EarlySearchOptions& options_;
  const std::function<void(const EarlySearchProgress&)>& progress_;
  const std::atomic<bool>* stop_;
};

}  // namespace

std::optional<EarlySweep> search_early_answers(
    const EarlySearchInput& input, const EarlySearchOptions& options,
    const std::function<void(const EarlySearchProgress&)>& progress,
    const std::atomic<bool>* stop) {
  if (!can_answer_early(input)) return EarlySweep{};
  return EarlySearch(input, options, progress, stop).run();
}

}  // namespace litestage
