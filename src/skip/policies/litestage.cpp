// LiteStage (Kang, Song and Kim, arXiv 2510.14211): each stage as the plan of a search says. Its
// rules that end texts are the method's online half, and they and the plan's early answers are what
// +exit adds.

#include <utility>

#include "skip/policies/policies.h"

namespace litestage {
namespace {

class PlanPolicy : public SkipPolicy {
 public:
  PlanPolicy(Plan plan, bool exit) : plan_(std::move(plan)), exit_(exit) {}

  StageSettings settings(std::string_view stage) const override {
    const StageSettings* found = plan_.find(stage);
    StageSettings settings = found == nullptr ? StageSettings{} : *found;
    if (!exit_) settings.exit = ExitRule{};
    return settings;
  }
  KvReuse kv_reuse() const override { return plan_.kv_reuse; }
  EarlyAnswers early_answers() const override { return exit_ ? plan_.early : EarlyAnswers{}; }

 private:
  Plan plan_;
  bool exit_;
};

std::unique_ptr<SkipPolicy> make_litestage(const PolicySpec& spec, const PolicyInputs& inputs) {
  return std::make_unique<PlanPolicy>(*inputs.plan, spec.exit);
}

}  // namespace

PolicyKind litestage_policy() {
  return {.name = "litestage",
          .operand = "a plan's file",
          .help = {"litestage:PLAN",
                   "a plan of litestage search: what each stage leaves out; with +exit its exit "
                   "rules and early answers too",
                   "Kang, Song and Kim, LiteStage, arXiv 2510.14211"},
          .source = PolicySource::plan,
          .make = make_litestage};
}

}  // namespace litestage
