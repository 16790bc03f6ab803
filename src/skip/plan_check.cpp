#include "skip/plan_check.h"

#include <algorithm>

#include <fmt/format.h>
#include <ggml.h>

#include "litestage/decoder.h"
#include "litestage/error.h"
#include "litestage/model.h"
#include "litestage/version.h"

namespace litestage {
namespace {

constexpr const char* TUNE = "make one for it with 'litestage tune'";

std::string_view short_hash(std::string_view hash) {
  constexpr std::size_t DIGITS = 12;
  return hash.substr(0, DIGITS);
}

/// Nothing for 0, which stands for not known.
std::string thread_words(int threads) {
  if (threads == 0) return {};
  return fmt::format("{} thread{}", threads, threads == 1 ? "" : "s");
}

/// The sets of a plan, "a.jsonl, b.jsonl", as a command takes them.
std::string as_words(std::string sets) {
  for (std::size_t comma = 0; (comma = sets.find(", ", comma)) != std::string::npos;)
    sets.erase(comma, 1);
  return sets;
}

}  // namespace

void check_plan_model(const Plan& plan, const Model& model, const std::string& where) {
  const std::string hash = model_hash(model);
  if (plan.model_hash != hash) {
    throw UserError(where,
                    fmt::format("it was made for {} ({}), not for {} ({})", plan.model_name,
                                short_hash(plan.model_hash), model.name(), short_hash(hash)),
                    TUNE);
  }
  // The hash tells the number of layers too, but the file may have been edited.
  if (plan.layers != model.layer_count()) {
    throw UserError(where + ": model.layers",
                    fmt::format("it says {}, but {} has {} layers", plan.layers, model.name(),
                                model.layer_count()),
                    "correct it");
  }
}

PlanWarnings check_plan_program(const Plan& plan, std::string_view program,
                                std::string_view program_hash,
                                const std::vector<std::string>& stage_names,
                                const std::string& where) {
  for (const std::string& name : stage_names) {
    if (plan.find(name) == nullptr) {
      throw UserError(
          where, fmt::format("it lacks the stage '{}' of the program {}", name, program), TUNE);
    }
  }
  for (const auto& [name, settings] : plan.stages) {
    if (std::ranges::find(stage_names, name) == stage_names.end()) {
      throw UserError(where, fmt::format("the program {} has no stage '{}'", program, name), TUNE);
    }
  }
  if (plan.program_hash == program_hash) return {};
  const std::string what =
      plan.program == program
          ? fmt::format("the program {} has changed since the plan was made", program)
          : fmt::format("it was made for the program {}, not for {}", plan.program, program);
  return {
      fmt::format("{}: {}: its accuracy and speed are not known; 'litestage tune' makes a "
                  "new one",
                  where, what)};
}

PlanWarnings check_plan_machine(const Plan& plan, const std::string& where, int threads) {
  PlanWarnings warnings;
  const PlanOrigin& origin = plan.origin;
  const std::string sets = origin.question_set.empty() ? "SET" : as_words(origin.question_set);
  const auto compare = [&](const std::string& how, const std::string& then,
                           const std::string& now) {
    if (then.empty() || then == now) return;
    warnings.push_back(fmt::format(
        "{}: it was measured {} {}, here it runs {} {}, so its speed may differ; 'litestage retime "
        "{} --questions {}' measures it anew",
        where, how, then, how, now, where, sets));
  };
  compare("on", origin.machine, machine_name());
  compare("with", thread_words(origin.threads),
          thread_words(threads > 0 ? threads : default_thread_count()));
  compare("with litestage", origin.litestage_version, std::string(litestage_version()));
  compare("with ggml", origin.ggml_version, ggml_version());
  return warnings;
}

PlanWarnings check_plan(const Plan& plan, const Model& model, std::string_view program,
                        std::string_view program_hash, const std::vector<std::string>& stage_names,
                        const std::string& where, int threads) {
  check_plan_model(plan, model, where);
  PlanWarnings warnings = check_plan_program(plan, program, program_hash, stage_names, where);
  const PlanWarnings more = check_plan_machine(plan, where, threads);
  warnings.insert(warnings.end(), more.begin(), more.end());
  return warnings;
}

}  // namespace litestage
