#include "offline/exit_candidates.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace litestage {
namespace {

/// Texts of one stage with their confidences.
std::vector<ReplayText> texts_of(const std::vector<TrialDetail>& details, std::size_t stage) {
  std::vector<ReplayText> texts;
  for (std::size_t question = 0; question < details.size(); ++question) {
    for (const std::vector<Confidence>& confidences : details[question].stages[stage].confidences)
      texts.push_back({confidences, static_cast<int>(question), details[question].trial.correct});
  }
  return texts;
}

/// Whether any text of the stage goes in circles: then the trigger that ends it is worth a try.
bool repeats(const std::vector<TrialDetail>& details, std::size_t stage) {
  return std::any_of(details.begin(), details.end(), [&](const TrialDetail& detail) {
    const auto& texts = detail.stages[stage].texts;
    return std::any_of(texts.begin(), texts.end(),
                       [](const std::vector<Token>& text) { return goes_in_circles(text); });
  });
}

/// Budgets of a stage's texts: next to nothing, a quarter and a half of the median length, as far
/// as they differ.
std::vector<int> budgets(const std::vector<TrialDetail>& details, std::size_t stage) {
  std::vector<int> lengths;
  for (const TrialDetail& detail : details) {
    for (const std::vector<Token>& text : detail.stages[stage].texts)
      lengths.push_back(static_cast<int>(text.size()));
  }
  if (lengths.empty()) return {};
  const auto middle = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2);
  std::nth_element(lengths.begin(), middle, lengths.end());
  std::set<int> different;
  for (const int budget : {1, *middle / 4, *middle / 2}) {
    if (budget >= 1 && budget < *middle) different.insert(budget);
  }
  return {different.begin(), different.end()};
}

/// The share of a stage's tokens that are written within a budget.
double share_within(const std::vector<TrialDetail>& details, std::size_t stage, int budget) {
  double all = 0;
  double within = 0;
  for (const TrialDetail& detail : details) {
    for (const std::vector<Token>& text : detail.stages[stage].texts) {
      all += static_cast<double>(text.size());
      within += std::min<double>(static_cast<double>(text.size()), budget);
    }
  }
  return within / all;
}

Candidate with_rule(const Candidate& chosen, const ExitRule& rule, std::string label,
                    double share_kept) {
  Candidate candidate = chosen;
  candidate.settings.exit = rule;
  candidate.label = std::move(label);
  candidate.predicted_ms *= share_kept;
  return candidate;
}

std::vector<Candidate> candidates_of(const Stage& stage, const Candidate& full, Candidate chosen,
                                     const std::vector<TrialDetail>& details, std::size_t index,
                                     const ExitRuleOptions& options) {
  chosen.label = "no rule";
  std::vector<Candidate> candidates = {full, chosen};
  if (stage.output == OutputKind::choice) return candidates;
  for (const RatedExitRule& rated : exit_rule_candidates(texts_of(details, index), options)) {
    for (const bool rollback : {true, false}) {
      if (rollback && options.as_in_paper) continue;
      ExitRule rule = rated.rule;
      rule.rollback = rollback;
      candidates.push_back(
          with_rule(chosen, rule,
                    fmt::format("{}, mean of {} at most {:.4g}{}", to_string(rule.confidence),
                                rule.window, rule.threshold, rollback ? ", cut back" : ""),
                    1 - rated.saved));
    }
  }
  if (options.as_in_paper) return candidates;
  if (stage.output == OutputKind::text) {
    for (const int budget : budgets(details, index)) {
      candidates.push_back(
          with_rule(chosen, {.max_tokens = budget},
                    fmt::format("at most {} token{}, cut back", budget, budget == 1 ? "" : "s"),
                    share_within(details, index, budget)));
    }
  }
  // How much these save shows only when they are run; they are taken to save something.
  constexpr double SOME = 0.98;
  ExitRule rule;
  if (stage.output == OutputKind::pattern) {
    rule.answer_complete = true;
    candidates.push_back(with_rule(chosen, rule, "answer complete", SOME));
  }
  if (repeats(details, index)) {
    rule.repetition = true;
    candidates.push_back(with_rule(chosen, rule, "repetition", SOME));
  }
  return candidates;
}

}  // namespace

std::vector<StageCandidates> exit_candidates(const Program& program, const SearchFile& masks,
                                             const std::vector<TrialDetail>& details,
                                             const ExitRuleOptions& options,
                                             std::span<const double> whole_head) {
  std::vector<StageCandidates> stages;
  for (std::size_t stage = 0; stage < masks.stages.size(); ++stage) {
    const std::vector<Candidate>& known = masks.stages[stage].candidates;
    const auto chosen = static_cast<std::size_t>(masks.result.chosen[stage]);
    ExitRuleOptions of_stage = options;
    if (!whole_head.empty()) of_stage.whole_head = whole_head[stage];
    stages.push_back(
        {masks.stages[stage].stage,
         candidates_of(program.stages[stage], known[0], known[chosen], details, stage, of_stage)});
  }
  return stages;
}

}  // namespace litestage
