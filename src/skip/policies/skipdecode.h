#pragma once

#include "litestage/sublayer_mask.h"

namespace litestage {

/// SkipDecode's rule for one model and budget: how many layers each token of a text is written
/// without.
struct SkipdecodeRule {
  int keep = 1;      ///< first layers that stay; the last one stays too
  int at_start = 0;  ///< layers left out of the first step
  int at_end = 0;    ///< of the last step of a text as long as it may get

  /// Layers left out of the step that reads a text's token number `written`, from 1. They grow in a
  /// straight line, and their mean over a longest text is at least that of start and end.
  int layers_at(int written, int max_tokens) const;
  /// The layers from `keep` on that many.
  SublayerMask mask_at(int written, int max_tokens) const;
};

/// The rule under which `sublayers` are left out on average: it starts from none as long as the end
/// can make up for it.
/// @param available layers that may be left out: all but the first `keep` and the last
SkipdecodeRule skipdecode_rule(int keep, int available, int sublayers);

}  // namespace litestage
