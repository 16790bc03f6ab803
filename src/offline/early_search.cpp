#include "offline/early_search.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "litestage/pipeline.h"
#include "offline/program_world.h"
#include "skip/exit_rule_json.h"
#include "stage/early_answer.h"

namespace litestage {
namespace {

/// Mean milliseconds of each stage, looks among them, by name.
using StageTimes = std::map<std::string, double>;

/// The largest margin there is: looks are taken, and hardly any stops a question.
constexpr double LOOK_ONLY = 1;

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

/// One search of early answers, from trials to candidates.
class EarlySearch {
 public:
  EarlySearch(const EarlySearchInput& input, const EarlySearchOptions& options,
              const std::function<void(const std::string&, int, int)>& progress,
              const std::atomic<bool>* stop)
      : input_(input), options_(options), progress_(progress), stop_(stop) {}

  std::optional<EarlySweep> run() {
    const std::vector<int> numbers = branch_numbers(input_);
    const auto full = answers("full model", full_model(input_.plan.kv_reuse));
    if (!full) return std::nullopt;
    Plan plan = input_.plan;
    plan.early = {};
    const auto planned = answers("plan", plan);
    if (!planned) return std::nullopt;
    std::map<int, std::vector<QuestionRecord>> records;
    for (const int number : numbers) {
      plan.early = {LOOK_ONLY, number};
      auto asked = answers(branches_label(number), plan);
      if (!asked) return std::nullopt;
      records.emplace(number, std::move(*asked));
    }
    const auto times = stage_times(numbers);
    if (!times) return std::nullopt;
    EarlyBase base{correct(*full), correct(*planned), 0};
    for (const auto& [stage, ms] : times->at(0))
      base.ms += stage == early_answer_stage().name ? 0 : ms;
    std::vector<EarlyArm> arms;
    for (const int number : numbers) {
      EarlyArm& arm = arms.emplace_back(EarlyArm{number, {}});
      for (const QuestionRecord& record : records.at(number))
        arm.trials.push_back(trial_of(record, times->at(number)));
    }
    return sweep_early_answers(base, arms, options_.max_loss);
  }

 private:
  static std::string branches_label(int number) {
    return number == 0 ? "all branches" : fmt::format("{} branches", number);
  }

  std::optional<std::vector<QuestionRecord>> answers(const std::string& what, const Plan& plan) {
    int right = 0;
    return answer_all(
        input_.who, input_.program, plan, input_.store, input_.questions,
        [&](int done, const QuestionRecord& record) {
          right += is_correct(record.question, record.answer) ? 1 : 0;
          if (progress_) progress_(what, done, right);
        },
        stop_);
  }

  static std::vector<bool> correct(const std::vector<QuestionRecord>& records) {
    std::vector<bool> all;
    for (const QuestionRecord& record : records)
      all.push_back(is_correct(record.question, record.answer));
    return all;
  }

  static EarlyTrial trial_of(const QuestionRecord& record, const StageTimes& times) {
    EarlyTrial trial;
    const StageRecord* before = nullptr;
    for (const StageRecord& stage : record.stages) {
      // Branches are one stage.
      if (before == nullptr || before->name != stage.name) trial.ms += times.at(stage.name);
      before = &stage;
      if (stage.name == early_answer_stage().name) {
        trial.looks.push_back({*stage.margin, is_correct(record.question, stage.text), trial.ms});
      }
    }
    trial.correct = is_correct(record.question, record.answer);
    return trial;
  }

  /// What the stages are run with, for the names of measurements.
  std::string settings_digest() const {
    std::string text;
    for (const auto& [stage, settings] : input_.plan.stages) {
      text += fmt::format("{} {} {} {}\n", stage, settings.prefill.to_string(),
                          settings.decode.to_string(), exit_rule_json(settings.exit).dump());
    }
    return sha256_hex(text);
  }

  /// The stages, looks among them, that times are kept of.
  std::vector<std::string> timed_names() const {
    std::vector<std::string> names = {early_answer_stage().name};
    for (const Stage& stage : input_.program.stages)
      names.push_back(stage.name);
    return names;
  }

  std::string measurement_name(int number) const {
    return fmt::format("{}{}, {} threads: early answers, {}, {} questions, stages {}",
                       TIME_MEASUREMENT, machine_name(), input_.who.decoder.options().threads,
                       branches_label(number), options_.timed_questions, settings_digest());
  }

  std::optional<StageTimes> known_times(int number) {
    const std::vector<std::string> names = timed_names();
    const auto known = input_.store.find_measurement(measurement_name(number));
    if (!known || known->size() != names.size()) return std::nullopt;
    StageTimes times;
    for (std::size_t i = 0; i < names.size(); ++i)
      times[names[i]] = (*known)[i];
    return times;
  }

  /// For each number of branches, from the store or from real runs that take turns.
  std::optional<std::map<int, StageTimes>> stage_times(const std::vector<int>& numbers) {
    std::map<int, StageTimes> all;
    for (const int number : numbers) {
      const auto known = known_times(number);
      if (!known) return measure_times(numbers);
      all[number] = *known;
    }
    return all;
  }

  std::optional<std::map<int, StageTimes>> measure_times(const std::vector<int>& numbers) {
    std::map<int, Pipeline> pipelines;
    for (const int number : numbers) {
      PipelineOptions options = remembered_options(input_.plan, input_.store);
      options.memo = nullptr;
      options.record_confidence = false;
      options.early = {LOOK_ONLY, number};
      pipelines.try_emplace(number, input_.who.decoder, input_.program, options);
    }
    const std::size_t count =
        std::min(input_.questions.size(), static_cast<std::size_t>(options_.timed_questions));
    std::map<int, StageTimes> sums;
    std::map<int, std::map<std::string, int>> runs;
    for (std::size_t i = 0; i <= count; ++i) {  // the first question is run twice: to warm up
      for (std::size_t turn = 0; turn < numbers.size(); ++turn) {
        const int number = numbers[(i + turn) % numbers.size()];
        const Question& question = input_.questions[i == 0 ? 0 : i - 1];
        const QuestionRecord record = pipelines.at(number).answer(question, nullptr, stop_);
        if (record.interrupted) return std::nullopt;
        if (progress_) progress_("times", static_cast<int>(i), 0);
        if (i == 0) continue;
        StageTimes own;
        for (const StageRecord& stage : record.stages)
          own[stage.name] += stage.prefill_ms + stage.decode_ms;
        for (const auto& [stage, ms] : own) {
          sums[number][stage] += ms;
          ++runs[number][stage];
        }
      }
    }
    for (const int number : numbers) {
      std::vector<double> means;
      for (const std::string& stage : timed_names()) {
        // A stage that every timed question left out has no time: it is taken for free.
        const int done = runs[number][stage];
        sums[number][stage] = done == 0 ? 0 : sums[number][stage] / done;
        means.push_back(sums[number][stage]);
      }
      input_.store.store_measurement(measurement_name(number), means);
    }
    return sums;
  }

  const EarlySearchInput& input_;
  const EarlySearchOptions& options_;
  const std::function<void(const std::string&, int, int)>& progress_;
  const std::atomic<bool>* stop_;
};

}  // namespace

std::optional<EarlySweep> search_early_answers(
    const EarlySearchInput& input, const EarlySearchOptions& options,
    const std::function<void(const std::string&, int, int)>& progress,
    const std::atomic<bool>* stop) {
  if (!can_answer_early(input)) return EarlySweep{};
  return EarlySearch(input, options, progress, stop).run();
}

}  // namespace litestage
