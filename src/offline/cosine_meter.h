#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/row_change.h"
#include "litestage/decoder.h"
#include "offline/stage_trace.h"

namespace litestage {

/// Means over some tokens.
struct MeanChange {
  double cosine = 0;
  double norm_ratio = 0;
};

/// What a stage's tokens say of each sublayer.
struct StageCosines {
  std::string stage;
  std::int64_t prefill_tokens = 0;  ///< counted
  std::int64_t decode_tokens = 0;
  std::vector<std::array<MeanChange, 2>> prefill;  ///< [layer][Sublayer]
  std::vector<std::array<MeanChange, 2>> decode;   ///< [layer][Sublayer]; zeros without tokens
};

/// Called with tokens computed and all of them; returning false stops.
using CosineProgress = std::function<bool(std::int64_t, std::int64_t)>;

/// Runs the traces through the full model and takes, for each sublayer and stage, the mean cosine
/// between its input and its output, and the mean norm ratio: over the tokens of the stage's
/// contexts (prefill) and, apart from them, over those of its texts (decode).
///
/// A stage's context counts whole, with what the stages before it read and wrote, as in the paper,
/// where a stage reads all of it. A token counts once a stage for each different context in front
/// of it: the preamble, which all questions share, has the weight of one question, and what the
/// branches of a question share is not counted for each branch. Every such token is computed once.
/// @param decoder its cache is cleared and used
/// @return stages in the order of their first traces; nothing when `progress` or the decoder's
/// interrupt function said stop
/// @throws UserError when a trace does not fit the context
std::optional<std::vector<StageCosines>> measure_cosines(Decoder& decoder,
                                                         const std::vector<StageTrace>& traces,
                                                         const CosineProgress& progress = {});

}  // namespace litestage
