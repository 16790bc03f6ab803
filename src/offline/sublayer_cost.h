#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "litestage/model.h"
#include "offline/paired_cost.h"
#include "offline/stage_stopwatch.h"

namespace litestage {

/// Sublayers of one kind that do the same work: as many bytes of weights, and attention that sees
/// equally far. A group is timed at once: a single attention sublayer takes a third of a per cent
/// of a token, less than two runs of the same work differ by.
struct SublayerGroup {
  Sublayer sublayer = Sublayer::attention;
  std::size_t bytes = 0;  ///< of each
  std::vector<int> layers;
};

/// All sublayers of a model in groups, in the order of their first layers, attention first.
std::vector<SublayerGroup> groups_of_equal_work(const Model& model);

/// Measured milliseconds of one stage.
struct StageCost {
  Estimate prefill;                                    ///< a fresh token, nothing left out
  Estimate decode;                                     ///< a step of one text, nothing left out
  std::vector<std::array<Estimate, 2>> prefill_saved;  ///< a fresh token: [layer][Sublayer]
  std::vector<std::array<Estimate, 2>> decode_saved;   ///< a step: [layer][Sublayer]
};

/// Which part of a stage is timed, and the milliseconds timed in it so far; returning false stops.
enum class CostPhase { prefill, decode };
using CostProgress = std::function<bool(CostPhase, double)>;

/// Measures what each sublayer costs a stage, with `options` for either phase: the whole model and,
/// in turn with it, the model without one group at a time; the difference is divided by the size of
/// the group. No figure is below zero; its error says how far it can be from the truth.
///
/// Two rules for prefill come from the way a graph ends: behind the last kept attention sublayer
/// only the tokens whose logits are wanted go on. So the FFN of the last layer reads one token
/// however many are fresh, and its figure is the one of decoding, spread over the fresh tokens. And
/// the last attention sublayer is never among those left out while timing, as that would spare the
/// FFNs before it too; its figure is its group's, or, alone in its group, that of attention's other
/// groups by bytes.
/// @param layers of the model
/// @return nothing when `progress` said stop
std::optional<StageCost> measure_stage_cost(const std::vector<SublayerGroup>& groups, int layers,
                                            StageStopwatch& stopwatch,
                                            const PairingOptions& options,
                                            const CostProgress& progress = {});

}  // namespace litestage
