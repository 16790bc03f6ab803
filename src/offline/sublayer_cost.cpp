#include "offline/sublayer_cost.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "model/model_config.h"

namespace litestage {
namespace {

using Figures = std::vector<std::array<Estimate, 2>>;  // [layer][Sublayer]

SublayerMask without(const SublayerGroup& group) {
  SublayerMask mask;
  for (const int layer : group.layers)
    mask.skip(group.sublayer, layer);
  return mask;
}

Estimate& figure(Figures& figures, Sublayer sublayer, int layer) {
  return figures[static_cast<std::size_t>(layer)][static_cast<std::size_t>(sublayer)];
}

Estimate scaled(const Estimate& estimate, double factor) {
  return {estimate.value * factor, estimate.error * factor};
}

Estimate not_negative(const Estimate& estimate) {
  return {std::max(0.0, estimate.value), estimate.error};
}

/// The whole model and one sublayer of each group, in milliseconds a token.
struct GroupCosts {
  Estimate whole;
  std::vector<Estimate> of_one;  ///< [group]
};

/// @param run works on `tokens` tokens
std::optional<GroupCosts> compare_groups(const std::vector<SublayerGroup>& groups, int tokens,
                                         const std::function<double(const SublayerMask&)>& run,
                                         const PairingOptions& options,
                                         const std::function<bool(double)>& progress) {
  std::vector<SublayerMask> masks(1);
  for (const SublayerGroup& group : groups)
    masks.push_back(without(group));
  run(masks[0]);  // weights come into memory, threads awake
  const auto costs = compare_arms(
      static_cast<int>(masks.size()),
      [&](int arm) { return run(masks[static_cast<std::size_t>(arm)]); }, options, progress);
  if (!costs) return std::nullopt;
  const double token = 1.0 / tokens;
  GroupCosts result{scaled(costs->whole, token), {}};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto size = static_cast<double>(groups[i].layers.size());
    result.of_one.push_back(scaled(costs->saved[i], token / size));
  }
  return result;
}

/// The groups without the last layer, those that are left. A model of one layer keeps its
/// attention: there is no FFN before it to be spared.
std::vector<SublayerGroup> prefill_groups(const std::vector<SublayerGroup>& groups, int layers) {
  std::vector<SublayerGroup> left;
  for (SublayerGroup group : groups) {
    if (group.sublayer == Sublayer::ffn || layers > 1) std::erase(group.layers, layers - 1);
    if (!group.layers.empty()) left.push_back(std::move(group));
  }
  return left;
}

/// Milliseconds of an attention sublayer of so many bytes, by the groups that were timed.
Estimate attention_by_bytes(const std::vector<SublayerGroup>& groups,
                            const std::vector<Estimate>& costs, std::size_t bytes) {
  Estimate sum;
  double all_bytes = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].sublayer != Sublayer::attention) continue;
    sum.value += costs[i].value;
    sum.error = std::hypot(sum.error, costs[i].error);
    all_bytes += static_cast<double>(groups[i].bytes);
  }
  return all_bytes == 0 ? Estimate{} : scaled(sum, static_cast<double>(bytes) / all_bytes);
}

bool is_last_attention(const SublayerGroup& group, int layers) {
  return group.sublayer == Sublayer::attention && group.layers.back() == layers - 1;
}

Figures prefill_figures(const std::vector<SublayerGroup>& groups, int layers,
                        const std::vector<SublayerGroup>& timed, const std::vector<Estimate>& costs,
                        const Estimate& last_ffn) {
  Figures figures(static_cast<std::size_t>(layers));
  for (std::size_t i = 0; i < timed.size(); ++i) {
    for (const int layer : timed[i].layers)
      figure(figures, timed[i].sublayer, layer) = not_negative(costs[i]);
  }
  figure(figures, Sublayer::ffn, layers - 1) = last_ffn;
  for (const SublayerGroup& group : groups) {
    if (layers == 1 || !is_last_attention(group, layers)) continue;
    Estimate& last = figure(figures, Sublayer::attention, layers - 1);
    last = group.layers.size() > 1 ? figure(figures, Sublayer::attention, group.layers.front())
                                   : not_negative(attention_by_bytes(timed, costs, group.bytes));
  }
  return figures;
}

}  // namespace

std::vector<SublayerGroup> groups_of_equal_work(const Model& model) {
  std::vector<SublayerGroup> groups;
  const auto sees_equally_far = [&](int layer, int other) {
    const std::vector<bool>& windowed = model.config().is_windowed;
    return windowed[static_cast<std::size_t>(layer)] == windowed[static_cast<std::size_t>(other)];
  };
  for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
    const auto first = static_cast<std::ptrdiff_t>(groups.size());
    for (int layer = 0; layer < model.layer_count(); ++layer) {
      const std::size_t bytes = model.sublayer_bytes(sublayer, layer);
      const auto found =
          std::find_if(groups.begin() + first, groups.end(), [&](const SublayerGroup& group) {
            return group.bytes == bytes &&
                   (sublayer == Sublayer::ffn || sees_equally_far(group.layers.front(), layer));
          });
      if (found == groups.end()) {
        groups.push_back({sublayer, bytes, {layer}});
      } else {
        found->layers.push_back(layer);
      }
    }
  }
  return groups;
}

std::optional<StageCost> measure_stage_cost(const std::vector<SublayerGroup>& groups, int layers,
                                            StageStopwatch& stopwatch,
                                            const PairingOptions& options,
                                            const CostProgress& progress) {
  assert(layers >= 1);
  const auto tell = [&](CostPhase phase) {
    return [&progress, phase](double ms) { return !progress || progress(phase, ms); };
  };
  const std::vector<SublayerGroup> timed = prefill_groups(groups, layers);
  const auto prefill = compare_groups(
      timed, stopwatch.fresh(),
      [&](const SublayerMask& mask) { return stopwatch.prefill_ms(mask); }, options,
      tell(CostPhase::prefill));
  if (!prefill) return std::nullopt;
  const auto decode = compare_groups(
      groups, stopwatch.steps(),
      [&](const SublayerMask& mask) { return stopwatch.decode_ms(mask); }, options,
      tell(CostPhase::decode));
  if (!decode) return std::nullopt;

  StageCost cost{prefill->whole, decode->whole, {}, Figures(static_cast<std::size_t>(layers))};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const int layer : groups[i].layers)
      figure(cost.decode_saved, groups[i].sublayer, layer) = not_negative(decode->of_one[i]);
  }
  const Estimate last_ffn =
      scaled(figure(cost.decode_saved, Sublayer::ffn, layers - 1), 1.0 / stopwatch.fresh());
  cost.prefill_saved = prefill_figures(groups, layers, timed, prefill->of_one, last_ffn);
  return cost;
}

}  // namespace litestage
