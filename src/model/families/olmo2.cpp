// OLMo 2 and 3: norms after each sublayer only, queries and keys normalised as a whole; OLMo 3 adds
// windowed layers, whose RoPE is not scaled.
#include "model/families/family.h"

namespace litestage {
namespace {

void configure_olmo2(const GgufFile& file, ModelConfig& config) {
  read_window(file, config, 4);
  config.rope_window = config.rope;
  config.rope_window.scale = 1.0F;
  config.rope_window.ext_factor = 0.0F;
  config.rope_window.attn_factor = 1.0F;
}

}  // namespace

const Family OLMO2 = {.architecture = "olmo2",
                      .pre_norm = false,
                      .post_norm = true,
                      .qk_norm = QkNorm::whole,
                      .configure = configure_olmo2};

}  // namespace litestage
