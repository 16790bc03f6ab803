#pragma once

#include "offline/importance.h"

namespace litestage::test {

/// A made-up importance: stages recall, which writes, and answer, which does not; three layers;
/// every figure known and different from its neighbours. The higher the layer, the higher are
/// cosine and milliseconds and the lower is damage; FFNs cost ten times what attention does.
Importance importance_example();

}  // namespace litestage::test
