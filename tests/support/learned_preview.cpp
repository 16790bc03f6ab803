#include "support/learned_preview.h"

#include <cstddef>
#include <vector>

#include "litestage/head_preview.h"
#include "litestage/plan.h"
#include "model/head_file.h"
#include "offline/head_learning.h"

namespace litestage::test {

void give_preview(Calibration& tiny, const std::filesystem::path& file, float more_margin) {
  constexpr std::size_t TEXTS = 8;
  constexpr std::size_t LENGTH = 50;
  std::vector<std::vector<Token>> texts(TEXTS);
  for (std::size_t i = 0; i < TEXTS * LENGTH; ++i)
    texts[i % TEXTS].push_back(static_cast<Token>(3 + i * i % 300));
  const Model& model = *tiny.tiny.model();
  LearnedHead learned =
      *learn_head(model, *hidden_states(tiny.decoder, texts), {.ranks = {32}, .proposals = 4});
  learned.info.model_hash = model_hash(model);
  learned.info.margin += more_margin;
  write_head_file({learned.info, model.embedding_size(), model.vocabulary_size(),
                   learned.projection, GGML_TYPE_Q4_0, learned.matrix},
                  file);
  tiny.decoder.set_head_preview(HeadPreview::load(file, model, model_hash(model)));
}

}  // namespace litestage::test
