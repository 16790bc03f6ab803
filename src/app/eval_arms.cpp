#include "app/eval_arms.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "app/run_plan.h"
#include "base/sha256.h"
#include "litestage/error.h"
#include "offline/policy_statistics.h"
#include "skip/policy_kind.h"

namespace litestage::app {
namespace {

/// Files that say which program they are for, as programs are known: by hash, or by what they were
/// called.
template <typename T>
const std::pair<std::string, T>* find_for(const std::vector<std::pair<std::string, T>>& files,
                                          const std::string& program_name,
                                          const std::string& program_hash) {
  const auto same = [&](const auto& file) { return file.second.program_hash == program_hash; };
  auto found = std::ranges::find_if(files, same);
  if (found == files.end()) {
    found = std::ranges::find_if(
        files, [&](const auto& file) { return file.second.program == program_name; });
  }
  return found == files.end() ? nullptr : &*found;
}

std::string exit_text(const ExitRule& rule) {
  if (rule == ExitRule{}) return {};
  std::string text = " exit";
  if (rule.watches_confidence()) {
    text += fmt::format(" {}<={}/{}", to_string(rule.confidence), rule.threshold, rule.window);
  }
  if (rule.rollback && (rule.watches_confidence() || rule.max_tokens > 0)) text += " rollback";
  if (rule.answer_complete) text += " answer_complete";
  if (rule.repetition) text += " repetition";
  if (rule.max_tokens > 0) text += fmt::format(" max_tokens={}", rule.max_tokens);
  return text;
}

/// What decides an arm's answers beside program and model, as one text.
/// @param calibration digest of what a changing mask depends on; may be empty
std::string settings_text(const Program& program, const PipelineOptions& options,
                          const EvalSettings& settings, const std::string& calibration) {
  std::string text = fmt::format("kv {}; {}", to_string(options.kv_reuse),
                                 engine_text(settings.model.options, settings.decoder));
  for (const Stage& stage : program.stages) {
    const StageSettings& used = options.stages.at(stage.name);
    text += fmt::format("; {}: read {} write {}{}", stage.name, used.prefill.to_string(),
                        used.decode.to_string(), exit_text(used.exit));
  }
  if (options.early.any()) {
    text += fmt::format("; early answers at {} branches {}{}", options.early.leave_at,
                        options.early.most_branches, options.early.ask_first ? " asked first" : "");
  }
  if (options.schedules) text += "; masks change by " + calibration;
  return text;
}

/// Everything an arm is made from while it is being made.
struct Draft {
  Program program;
  std::string program_name;
  PipelineOptions options;
  std::unique_ptr<SkipPolicy> policy;
  std::string calibration;
  std::set<std::string> tuned_on;  // of all sets
};

class ArmMaker {
 public:
  ArmMaker(const EvalSettings& settings, bool warns)
      : settings_(settings), warns_(warns), models_(settings) {
    for (const std::string& path : settings.importances)
      importances_.emplace_back(path, load_importance(path));
    for (const std::string& path : settings.exit_plans)
      exit_plans_.emplace_back(path, load_plan(path));
  }

  std::vector<EvalRunner> make(const std::vector<PolicySpec>& policies,
                               const std::vector<LoadedTask>& tasks) {
    for (const PolicySpec& policy : policies)
      read_plan(policy, tasks);
    std::vector<EvalRunner> runners;
    for (const LoadedTask& task : tasks) {
      for (const PolicySpec& policy : policies) {
        if (fits(policy, task)) runners.push_back(make(policy, task));
      }
    }
    return runners;
  }

 private:
  static const PolicyKind& kind_of(const PolicySpec& policy) {
    return policy_kind(policy.name, where_of(policy));
  }

  void read_plan(const PolicySpec& policy, const std::vector<LoadedTask>& tasks) {
    if (kind_of(policy).source != PolicySource::plan) return;
    const Plan& plan = plans_.try_emplace(policy.operand, load_plan(policy.operand)).first->second;
    if (std::ranges::none_of(tasks, [&](const LoadedTask& task) { return fits(policy, task); })) {
      throw UserError(
          policy.operand,
          fmt::format("it was made for the program {}, which no task runs", plan.program),
          fmt::format("give --program {}", plan.program));
    }
    const bool has_rules =
        plan.early.any() || std::ranges::any_of(plan.stages, [](const auto& stage) {
          return stage.second.exit != ExitRule{};
        });
    if (has_rules && !policy.exit && warns_) {
      fmt::print(stderr,
                 "litestage: {}: its rules for ending texts and stages early are left out; {}+exit "
                 "uses them\n",
                 policy.text, policy.text);
    }
  }

  /// A plan is for the tasks that run its program, any other policy for all.
  bool fits(const PolicySpec& policy, const LoadedTask& task) const {
    if (kind_of(policy).source != PolicySource::plan) return true;
    const Plan& plan = plans_.at(policy.operand);
    return plan.program_hash == task.program.hash || plan.program == task.program_name;
  }

  EvalRunner make(const PolicySpec& policy, const LoadedTask& task) {
    const PolicyKind& kind = kind_of(policy);
    const EvalModel& model = models_.of(policy);
    Draft draft;
    draft.program = kind.in_stages ? task.program : task.direct;
    draft.program_name = kind.in_stages ? task.program_name : task.direct.name;
    add_policy(policy, kind, model, draft);
    // A plan has rules of its own.
    if (policy.exit && kind.source != PolicySource::plan)
      add_exit_rules(policy, kind, model, draft);
    draft.options.seed = settings_.seed;
    EvalArm arm;
    arm.task = task.task.name;
    arm.policy = policy.text;
    arm.program = draft.program.name;
    arm.program_hash = draft.program.hash;
    arm.model_name = model.name;
    arm.model_hash = model.hash;
    arm.settings = settings_text(draft.program, draft.options, settings_, draft.calibration);
    if (model.head) arm.settings += fmt::format("; head preview of {}", model.head->info().rank);
    std::ranges::set_intersection(draft.tuned_on, task.whole, std::back_inserter(arm.tuned_on));
    if (warns_) warn_if_tuned_on(arm, task.task);
    return {std::move(arm),          model,
            settings_.decoder,       std::move(draft.program),
            std::move(draft.policy), std::move(draft.options)};
  }

  void add_policy(const PolicySpec& policy, const PolicyKind& kind, const EvalModel& model,
                  Draft& draft) {
    PolicyInputs inputs;
    PolicyStatistics statistics;
    if (kind.source == PolicySource::plan) {
      inputs.plan = &plans_.at(policy.operand);
      check(*inputs.plan, policy.operand, &model, draft);
    } else if (kind.source == PolicySource::statistics) {
      statistics = statistics_for(policy, model, draft);
      inputs.statistics = &statistics;
    }
    draft.policy = make_skip_policy(policy, inputs);
    for (const Stage& stage : draft.program.stages)
      draft.options.stages[stage.name] = draft.policy->settings(stage.name);
    draft.options.schedules = draft.policy->schedules();
    draft.options.kv_reuse = draft.policy->kv_reuse();
    draft.options.early = draft.policy->early_answers();
  }

  /// @param model null where rules are tried on another model than the plan's: only the stages
  /// must be the program's then
  void check(const Plan& plan, const std::string& path, const EvalModel* model, Draft& draft) {
    draft.tuned_on.insert(plan.origin.questions.begin(), plan.origin.questions.end());
    if (!warns_ || !checked_.insert({path, model == nullptr}).second) return;
    Program called = draft.program;
    called.name = draft.program_name;
    warn_about_plan(plan, model == nullptr ? nullptr : model->model.get(), called, path,
                    settings_.decoder.threads);
  }

  PolicyStatistics statistics_for(const PolicySpec& policy, const EvalModel& model, Draft& draft) {
    const auto* found = find_for(importances_, draft.program_name, draft.program.hash);
    if (found == nullptr) {
      throw UserError(
          "policy " + policy.text,
          fmt::format("what the sublayers do in the program {} is not known", draft.program_name),
          fmt::format("measure it with 'litestage profile --program {}' on other questions, and "
                      "give the file by --importance",
                      draft.program_name));
    }
    const auto& [path, importance] = *found;
    if (importance.program_hash != draft.program.hash || importance.model_hash != model.hash) {
      throw UserError(
          path,
          importance.model_hash != model.hash
              ? fmt::format("it was measured on {}, not on {}", importance.model_name, model.name)
              : fmt::format("the program {} has changed since", draft.program_name),
          "measure anew with 'litestage profile'");
    }
    constexpr std::size_t DIGITS = 16;
    draft.calibration = sha256_hex(to_json(importance)).substr(0, DIGITS);
    draft.tuned_on.insert(importance.questions.begin(), importance.questions.end());
    return policy_statistics(importance, path);
  }

  void add_exit_rules(const PolicySpec& policy, const PolicyKind& kind, const EvalModel& model,
                      Draft& draft) {
    const auto* found = find_for(exit_plans_, draft.program_name, draft.program.hash);
    if (found == nullptr) {
      throw UserError(
          "policy " + policy.text,
          fmt::format("there are no rules for ending texts of the program {}", draft.program_name),
          "name a plan for it by --exit-plan");
    }
    const auto& [path, plan] = *found;
    check(plan, path, kind.model == PolicyModel::given ? &model : nullptr, draft);
    for (const auto& [stage, stage_settings] : plan.stages)
      draft.options.stages[stage].exit = stage_settings.exit;
  }

  static void warn_if_tuned_on(const EvalArm& arm, const EvalTask& task) {
    const auto known = std::ranges::count_if(task.questions, [&arm](const Question& question) {
      return std::ranges::binary_search(arm.tuned_on, question_hash(question));
    });
    if (known == 0) return;
    fmt::print(stderr,
               "litestage: warning: {} of the {} questions of {} are among those that {} was tuned "
               "on: what it reaches there says little about new ones; evaluate on another set, or "
               "on another part by --split\n",
               known, task.questions.size(), arm.task, arm.policy);
  }

  const EvalSettings& settings_;
  bool warns_;
  EvalModels models_;
  std::vector<std::pair<std::string, Importance>> importances_;  // by path
  std::vector<std::pair<std::string, Plan>> exit_plans_;
  std::map<std::string, Plan> plans_;
  std::set<std::pair<std::string, bool>> checked_;  // plans that were warned of
};

std::vector<PolicySpec> parse_policies(const std::vector<std::string>& words) {
  std::vector<PolicySpec> policies;
  for (const std::string& word : words) {
    policies.push_back(parse_policy(word));
    const auto same = [&word](const PolicySpec& policy) { return policy.text == word; };
    if (std::ranges::count_if(policies, same) > 1)
      throw UserError("--policy", fmt::format("{} is there twice", word), "give it once");
  }
  return policies;
}

}  // namespace

EvalRunner::EvalRunner(EvalArm arm, EvalModel model, const DecoderOptions& decoder, Program program,
                       std::unique_ptr<SkipPolicy> policy, PipelineOptions options)
    : arm_(std::move(arm)),
      model_(std::move(model)),
      policy_(std::move(policy)),
      options_(std::move(options)),
      decoder_(std::make_unique<Decoder>(model_.model, decoder)) {
  decoder_->set_head_preview(model_.head);
  pipeline_ = std::make_unique<Pipeline>(*decoder_, std::move(program), options_);
}

void EvalRunner::answer(std::span<const Question* const> questions, int at_once,
                        const TakeAnswer& take, const std::atomic<bool>* stop) const {
  const auto pool = make_pool(model_.model, decoder_->options(), model_.head, at_once);
  answer_side_by_side(*pool, at_once, pipeline_->program(), options_, questions, take, stop);
}

std::vector<EvalRunner> make_arms(const EvalSettings& settings,
                                  const std::vector<LoadedTask>& tasks, bool warns) {
  const std::vector<PolicySpec> policies = parse_policies(settings.policies);
  return ArmMaker(settings, warns).make(policies, tasks);
}

}  // namespace litestage::app
