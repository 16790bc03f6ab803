// Gemma 3: norms on both sides of each sublayer, scaled embeddings, five windowed layers to each
// that sees everything, with RoPE parameters of their own.
#include <cmath>

#include "model/families/family.h"

namespace litestage {
namespace {

void configure_gemma3(const GgufFile& file, ModelConfig& config) {
  config.embedding_scale = std::sqrt(static_cast<float>(config.n_embd));
  config.final_softcap = file.number_or("gemma3.final_logit_softcapping", 0.0F);
  // The 27B model (62 layers) divides by the width a query head would have without its own head
  // size.
  constexpr int LAYERS_27B = 62;
  const int width = config.n_layers == LAYERS_27B ? config.n_embd / config.n_head : config.head_dim;
  config.attention_scale = 1.0F / std::sqrt(static_cast<float>(width));
  read_window(file, config, 6);
  config.rope_window = config.rope;
  config.rope_window.base = file.number_or("gemma3.rope.freq_base_swa", 10000.0F);
  config.rope_window.scale = 1.0F;
}

}  // namespace

const Family GEMMA3 = {.architecture = "gemma3",
                       .activation = Activation::gelu,
                       .post_norm = true,
                       .qk_norm = QkNorm::per_head,
                       .scale_queries = true,
                       .configure = configure_gemma3};

}  // namespace litestage
