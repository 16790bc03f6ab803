#pragma once

#include <memory>

#include "app/bench_engine.h"
#include "litestage/decoder.h"
#include "litestage/model.h"
#include "litestage/sublayer_mask.h"

namespace litestage::app {

/// litestage's own decoder as a benchmark drives it. Several engines, with different masks, may
/// share a decoder as long as each clears it before use.
std::unique_ptr<BenchEngine> make_litestage_engine(std::shared_ptr<Decoder> decoder,
                                                   SublayerMask mask);

}  // namespace litestage::app
