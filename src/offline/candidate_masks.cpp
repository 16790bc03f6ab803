#include "offline/candidate_masks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "offline/accumulated_change.h"
#include "offline/mask_growth.h"

namespace litestage {
namespace {

struct SublayerId {
  int layer;
  Sublayer sublayer;
};

/// From the lowest layer on, attention first.
std::vector<SublayerId> all_sublayers(std::size_t layers) {
  std::vector<SublayerId> all;
  for (int layer = 0; layer < static_cast<int>(layers); ++layer) {
    all.push_back({layer, Sublayer::attention});
    all.push_back({layer, Sublayer::ffn});
  }
  return all;
}

Candidate full_candidate(const StageImportance& stage) {
  return {.settings = {},
          .label = "nothing left out",
          .predicted_ms = predicted_ms(stage, {}),
          .damage = 0};
}

/// All sublayers, from the highest cosine to the lowest.
std::vector<SublayerId> by_cosine(const Importance& importance) {
  std::vector<std::pair<double, SublayerId>> order;
  for (const SublayerId& id : all_sublayers(importance.stages.front().layers.size()))
    order.emplace_back(accumulated_change(importance, id.sublayer, id.layer).cosine, id);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<SublayerId> sorted;
  sorted.reserve(order.size());
  for (const auto& [cosine, id] : order)
    sorted.push_back(id);
  return sorted;
}

/// What a chain leaves sublayers out of, and which ones it may.
struct Chain {
  bool prefill = false;
  bool decode = false;
  bool attention = false;

  const char* phases() const {
    return !prefill ? "decode" : !decode ? "prefill" : "prefill and decode";
  }
};

double reading_ms(const StageImportance& stage) {
  return stage.fresh_tokens * stage.prefill_ms;
}
double writing_ms(const StageImportance& stage) {
  return stage.written_tokens * stage.decode_ms;
}
/// Of the phases a chain works on.
double chain_ms(const StageImportance& stage, const Chain& chain) {
  return (chain.prefill ? reading_ms(stage) : 0) + (chain.decode ? writing_ms(stage) : 0);
}

std::vector<Chain> chains_of(const StageImportance& stage, bool attention) {
  constexpr double LEAST_SHARE = 0.05;
  const double least = LEAST_SHARE * (reading_ms(stage) + writing_ms(stage));
  const bool reads = reading_ms(stage) > 0 && reading_ms(stage) >= least;
  const bool writes = writing_ms(stage) > 0 && writing_ms(stage) >= least;
  std::vector<Chain> chains;
  // What works on all comes first: it beats much of what works on one phase. With attention behind
  // without it, so that the masks they share are known.
  for (const bool with_attention : {false, true}) {
    if (with_attention && (!attention || !writes)) continue;
    if (reads && writes) chains.push_back({true, true, with_attention});
    if (writes) chains.push_back({false, true, with_attention});
    if (reads && !with_attention) chains.push_back({true, false, false});
  }
  return chains;
}

std::vector<GrowthItem> items_of(const StageImportance& stage, const Chain& chain,
                                 const std::vector<SublayerId>& sublayers) {
  std::vector<GrowthItem> items;
  for (const SublayerId& id : sublayers) {
    const SublayerImportance& known = stage.of(id.sublayer, id.layer);
    GrowthItem item;
    if (chain.prefill) {
      item.saved_ms += stage.fresh_tokens * known.prefill.ms;
      item.alone_damage += known.prefill.damage;
    }
    if (chain.decode) {
      item.saved_ms += stage.written_tokens * known.decode.ms;
      item.alone_damage += known.decode.damage;
    }
    items.push_back(item);
  }
  return items;
}

StageSettings settings_of(const Chain& chain, const std::vector<SublayerId>& sublayers,
                          const std::vector<int>& items) {
  SublayerMask mask;
  for (const int item : items) {
    const SublayerId& id = sublayers[static_cast<std::size_t>(item)];
    mask.skip(id.sublayer, id.layer);
  }
  StageSettings settings;
  if (chain.prefill) settings.prefill = mask;
  if (chain.decode) settings.decode = std::move(mask);
  return settings;
}

/// "decode -12 %, attention kept": the share is of the phases' own milliseconds.
std::string label_of(const StageImportance& stage, const Chain& chain,
                     const StageSettings& settings, double saved_ms) {
  const std::size_t attention =
      (settings.prefill.skipped_attention() | settings.decode.skipped_attention()).count();
  return fmt::format("{} -{:.0f} %, {}", chain.phases(), 100 * saved_ms / chain_ms(stage, chain),
                     attention == 0 ? "attention kept" : fmt::format("{} attention", attention));
}

/// Measures the links of one stage's chains, each mask once.
class StageGrower {
 public:
  StageGrower(const StageImportance& stage, const MeasureDamage& measure,
              const LatencyCandidateOptions& options,
              const std::function<bool(const std::string&)>& progress)
      : stage_(stage), measure_(measure), options_(options), progress_(progress) {}

  /// Grows a chain. False when it was stopped.
  bool grow_chain(const Chain& chain) {
    constexpr double LARGEST_SAVING = 0.35;
    constexpr int PATIENCE = 2;  // beaten links in a row
    std::vector<SublayerId> sublayers = all_sublayers(stage_.layers.size());
    if (!chain.attention) {
      std::erase_if(sublayers,
                    [](const SublayerId& id) { return id.sublayer == Sublayer::attention; });
    }
    const GrowthLimits limits{.most_damage = options_.most_damage,
                              .most_saved_ms = LARGEST_SAVING * chain_ms(stage_, chain),
                              .remeasured = options_.remeasured};
    const auto measure = [&](const std::vector<int>& items) {
      return measured(chain, settings_of(chain, sublayers, items));
    };
    int beaten = 0;
    const auto goes_on = [&](const GrowthLink& link) {
      add(chain, settings_of(chain, sublayers, link.items), link);
      beaten = is_beaten(links_.back()) ? beaten + 1 : 0;
      return beaten < PATIENCE;
    };
    return grow(items_of(stage_, chain, sublayers), limits, measure, goes_on).has_value();
  }

  /// The links of all chains.
  std::vector<Candidate> take_links() { return std::move(links_); }

 private:
  void add(const Chain& chain, const StageSettings& settings, const GrowthLink& link) {
    links_.push_back({.settings = settings,
                      .label = label_of(stage_, chain, settings, link.saved_ms),
                      .predicted_ms = predicted_ms(stage_, settings),
                      .damage = link.damage});
  }

  /// Whether another link is faster without doing more damage, or does less without being slower.
  bool is_beaten(const Candidate& link) const {
    return std::any_of(links_.begin(), links_.end(), [&](const Candidate& other) {
      return other.predicted_ms <= link.predicted_ms && other.damage <= link.damage &&
             (other.predicted_ms < link.predicted_ms || other.damage < link.damage);
    });
  }

  std::optional<double> measured(const Chain& chain, const StageSettings& settings) {
    const std::string key = settings.prefill.to_string() + " / " + settings.decode.to_string();
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    const SublayerMask& mask = chain.decode ? settings.decode : settings.prefill;
    if (progress_ &&
        !progress_(fmt::format("{}: {} without {}", stage_.name, chain.phases(), mask.to_string())))
      return std::nullopt;
    const std::optional<double> damage = measure_(stage_.name, settings);
    if (damage) known_.emplace(key, *damage);
    return damage;
  }

  const StageImportance& stage_;
  const MeasureDamage& measure_;
  const LatencyCandidateOptions& options_;
  const std::function<bool(const std::string&)>& progress_;
  std::map<std::string, double> known_;
  std::vector<Candidate> links_;
};

/// Those that are faster than the full model and that no other one beats in both milliseconds and
/// damage, from the slowest to the fastest.
std::vector<Candidate> unbeaten(std::vector<Candidate> candidates, double full_ms) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     return a.predicted_ms != b.predicted_ms ? a.predicted_ms < b.predicted_ms
                                                             : a.damage < b.damage;
                   });
  std::vector<Candidate> kept;
  double least_damage = std::numeric_limits<double>::infinity();
  for (Candidate& candidate : candidates) {
    if (candidate.predicted_ms >= full_ms || candidate.damage >= least_damage) continue;
    least_damage = candidate.damage;
    kept.push_back(std::move(candidate));
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

/// `count` of them at most, each the nearest one left to an even step between the full model's
/// milliseconds and the fastest one's. The fastest stays.
std::vector<Candidate> thinned(std::vector<Candidate> candidates, int count, double full_ms) {
  if (std::ssize(candidates) <= count) return candidates;
  std::vector<Candidate> kept;
  const double fastest = candidates.back().predicted_ms;
  for (int i = count; i >= 1; --i) {
    const double wanted = full_ms - (full_ms - fastest) * i / count;
    const auto nearest = std::min_element(
        candidates.begin(), candidates.end(), [&](const Candidate& a, const Candidate& b) {
          return std::abs(a.predicted_ms - wanted) < std::abs(b.predicted_ms - wanted);
        });
    kept.push_back(std::move(*nearest));
    candidates.erase(nearest);
  }
  std::sort(kept.begin(), kept.end(),
            [](const Candidate& a, const Candidate& b) { return a.predicted_ms > b.predicted_ms; });
  return kept;
}

}  // namespace

double fresh_token_ms(const StageImportance& stage, const StageSettings& settings) {
  double ms = stage.prefill_ms;
  for (const SublayerId& id : all_sublayers(stage.layers.size())) {
    if (settings.prefill.skips(id.sublayer, id.layer))
      ms -= stage.of(id.sublayer, id.layer).prefill.ms;
  }
  return std::max(0.0, ms);
}

double predicted_ms(const StageImportance& stage, const StageSettings& settings) {
  double writing = stage.decode_ms;
  for (const SublayerId& id : all_sublayers(stage.layers.size())) {
    if (settings.decode.skips(id.sublayer, id.layer))
      writing -= stage.of(id.sublayer, id.layer).decode.ms;
  }
  return stage.fresh_tokens * fresh_token_ms(stage, settings) +
         stage.written_tokens * std::max(0.0, writing);
}

std::vector<StageCandidates> cosine_candidates(const Importance& importance, int most) {
  std::vector<StageCandidates> result;
  if (importance.stages.empty()) return result;
  const std::vector<SublayerId> order = by_cosine(importance);
  for (const StageImportance& stage : importance.stages) {
    result.push_back({stage.name, {full_candidate(stage)}});
    SublayerMask mask;
    for (int k = 1; k <= std::min(most, static_cast<int>(order.size())); ++k) {
      const SublayerId& id = order[static_cast<std::size_t>(k - 1)];
      mask.skip(id.sublayer, id.layer);
      const StageSettings settings = StageSettings::with_mask(mask);
      result.back().candidates.push_back(
          {.settings = settings,
           .label = k == 1 ? "1 sublayer" : fmt::format("{} sublayers", k),
           .predicted_ms = predicted_ms(stage, settings),
           .damage = std::numeric_limits<double>::quiet_NaN()});
    }
  }
  return result;
}

std::vector<StageCandidates> latency_candidates(
    const Importance& importance, const MeasureDamage& measure,
    const LatencyCandidateOptions& options, const std::function<bool(const std::string&)>& progress,
    const RereadMs& reread) {
  std::vector<StageCandidates> result;
  for (const StageImportance& stage : importance.stages) {
    StageGrower grower(stage, measure, options, progress);
    for (const Chain& chain : chains_of(stage, options.attention)) {
      if (!grower.grow_chain(chain)) return {};
    }
    const Candidate full = full_candidate(stage);
    result.push_back({stage.name, {full}});
    std::vector<Candidate> links = grower.take_links();
    // Only now: what is read again is nearly the same for one sublayer as for many, and would end
    // chains at their first links.
    for (Candidate& link : links)
      link.predicted_ms += reread ? reread(stage.name, link.settings) : 0;
    for (Candidate& candidate :
         thinned(unbeaten(std::move(links), full.predicted_ms), options.count, full.predicted_ms))
      result.back().candidates.push_back(std::move(candidate));
  }
  return result;
}

}  // namespace litestage
