// Granite 3 (dense): scales on embeddings, residuals, attention and logits; Granite 4's dense files
// may turn positions off.
#include "model/families/family.h"

namespace litestage {
namespace {

void configure_granite(const GgufFile& file, ModelConfig& config) {
  const float divisor = file.number("granite.logit_scale");
  if (divisor == 0.0F) file.fail("key granite.logit_scale is 0", "get the file again");
  config.logit_scale = 1.0F / divisor;
  // Zero means "not set" in these files.
  const auto scale_or = [&](const char* key, float fallback) {
    const float value = file.number_or(key, 0.0F);
    return value == 0.0F ? fallback : value;
  };
  config.residual_scale = scale_or("granite.residual_scale", 1.0F);
  config.embedding_scale = scale_or("granite.embedding_scale", 1.0F);
  config.attention_scale = scale_or("granite.attention.scale", config.attention_scale);
  if (!file.flag_or("granite.rope.scaling.finetuned", true)) {
    config.has_rope.assign(config.has_rope.size(), false);
  }
}

}  // namespace

const Family GRANITE = {
    .architecture = "granite", .rope = RopeKind::pairs, .configure = configure_granite};

}  // namespace litestage
