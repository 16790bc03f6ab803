// SmolLM3: every fourth layer knows no positions.
#include "model/families/family.h"

namespace litestage {
namespace {

void configure_smollm3(const GgufFile& /*file*/, ModelConfig& config) {
  constexpr int STEP = 4;
  for (int layer = STEP - 1; layer < config.n_layers; layer += STEP) {
    config.has_rope[static_cast<std::size_t>(layer)] = false;
  }
}

}  // namespace

const Family SMOLLM3 = {
    .architecture = "smollm3", .rope = RopeKind::pairs, .configure = configure_smollm3};

}  // namespace litestage
