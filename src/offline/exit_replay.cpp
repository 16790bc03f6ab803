#include "offline/exit_replay.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

namespace litestage {
namespace {

constexpr std::array KINDS = {ConfidenceKind::largest_logit, ConfidenceKind::largest_probability,
                              ConfidenceKind::negative_entropy};
constexpr std::array WINDOWS = {4, 8, 16, 32};
/// Quantiles 2^-1, 2^-1.5, 2^-2 ... down to about 1 in 6000.
constexpr int QUANTILES = 24;

/// Means over every full window of every text, ascending.
std::vector<double> window_means(std::span<const ReplayText> texts, ConfidenceKind kind,
                                 int window) {
  std::vector<double> means;
  const auto width = static_cast<std::size_t>(window);
  for (const ReplayText& text : texts) {
    for (std::size_t end = width; end <= text.confidences.size(); ++end) {
      double sum = 0;
      for (std::size_t i = end - width; i < end; ++i)
        sum += text.confidences[i].of(kind);
      means.push_back(sum / window);
    }
  }
  std::ranges::sort(means);
  return means;
}

/// Different thresholds, falling.
std::vector<double> thresholds_of(const std::vector<double>& means) {
  std::vector<double> thresholds;
  for (int i = 0; i < QUANTILES && !means.empty(); ++i) {
    const double quantile = std::exp2(-1 - 0.5 * i);
    const double threshold =
        means[static_cast<std::size_t>(quantile * static_cast<double>(means.size() - 1))];
    if (thresholds.empty() || threshold < thresholds.back()) thresholds.push_back(threshold);
  }
  return thresholds;
}

RatedExitRule rate(const ExitRule& rule, std::span<const ReplayText> texts,
                   const std::vector<ReplayEnd>& ends, double whole_head) {
  RatedExitRule rated;
  rated.rule = rule;
  std::set<int> right;
  std::set<int> right_cut;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto tokens = static_cast<long>(texts[i].confidences.size());
    rated.tokens += tokens;
    rated.tokens_saved += tokens - static_cast<long>(ends[i].tokens);
    rated.texts_cut += ends[i].fired ? 1 : 0;
    if (!texts[i].correct) continue;
    right.insert(texts[i].question);
    if (ends[i].fired) right_cut.insert(texts[i].question);
  }
  const double kept = static_cast<double>(rated.tokens - rated.tokens_saved) /
                      static_cast<double>(std::max(1L, rated.tokens));
  rated.saved = 1 - kept * (rule.confidence == ConfidenceKind::largest_logit ? 1 : whole_head);
  rated.right = static_cast<int>(right.size());
  rated.right_cut = static_cast<int>(right_cut.size());
  return rated;
}

}  // namespace

ReplayEnd replay(const ExitRule& rule, std::span<const Confidence> confidences) {
  ConfidenceWindow window(rule);
  for (std::size_t i = 0; i < confidences.size(); ++i) {
    if (window.add(confidences[i].of(rule.confidence))) return {i + 1, true};
  }
  return {confidences.size(), false};
}

std::vector<RatedExitRule> exit_rule_candidates(std::span<const ReplayText> texts,
                                                const ExitRuleOptions& options) {
  struct Cutting {
    RatedExitRule rated;
    std::vector<std::size_t> cuts;  // where it ends each text
  };
  std::vector<Cutting> found;
  for (const int window : WINDOWS) {
    for (const ConfidenceKind kind : KINDS) {
      if (options.as_in_paper && kind != ConfidenceKind::largest_logit) continue;
      ExitRule rule;
      rule.confidence = kind;
      rule.window = window;
      for (const double threshold : thresholds_of(window_means(texts, kind, window))) {
        rule.threshold = threshold;
        std::vector<ReplayEnd> ends;
        std::vector<std::size_t> cuts;
        for (const ReplayText& text : texts) {
          ends.push_back(replay(rule, text.confidences));
          cuts.push_back(ends.back().tokens);
        }
        RatedExitRule rated = rate(rule, texts, ends, options.whole_head);
        const bool harmless = rated.right_cut <= options.most_right_cut * rated.right;
        if (rated.saved > 0 && harmless) found.push_back({rated, std::move(cuts)});
      }
    }
  }
  std::ranges::stable_sort(found, [](const Cutting& a, const Cutting& b) {
    return std::pair(-a.rated.saved, a.rated.right_cut) <
           std::pair(-b.rated.saved, b.rated.right_cut);
  });
  std::vector<RatedExitRule> rules;
  std::set<std::vector<std::size_t>> known;
  for (Cutting& each : found) {
    if (rules.size() == options.count) break;
    if (known.insert(std::move(each.cuts)).second) rules.push_back(each.rated);
  }
  return rules;
}

}  // namespace litestage
