#include "support/importance_example.h"

namespace litestage::test {
namespace {

SublayerFigures figures(double place, double ms) {
  SublayerFigures figures;
  figures.cosine = 0.9 + place / 100;
  figures.norm_ratio = 1 + place / 10;
  figures.damage = 0.5 / (1 + place);
  figures.damage_error = figures.damage / 10;
  figures.ms = ms;
  figures.ms_error = ms / 50;
  return figures;
}

StageImportance stage(const std::string& name, double shift, double written) {
  StageImportance stage;
  stage.name = name;
  stage.prompt_tokens = 80 + 200 * shift;
  stage.fresh_tokens = 40.5 + shift;
  stage.written_tokens = written;
  stage.prefill_ms = 7.25;
  stage.decode_ms = 22.5;
  for (int layer = 0; layer < 3; ++layer) {
    const double place = layer + shift;
    SublayerImportance attention{figures(place, 0.02 + place / 1000),
                                 figures(place + 0.5, 0.06 + place / 1000), 1000};
    SublayerImportance ffn{figures(place + 0.25, 0.2 + place / 100),
                           figures(place + 0.75, 0.6 + place / 100), 8000};
    stage.layers.push_back({attention, ffn});
  }
  return stage;
}

}  // namespace

Importance importance_example() {
  Importance importance;
  importance.model_name = "Example 3L";
  importance.model_hash = "0123abcd";
  importance.program = "two-stages";
  importance.program_hash = "4567ef";
  importance.question_set = "train.jsonl";
  importance.questions = {"1111", "2222"};
  importance.machine = "a machine";
  importance.threads = 2;
  importance.head = "full";
  importance.litestage_version = "0.1.0";
  importance.ggml_version = "0.25.3";
  importance.stages = {stage("recall", 0, 30.5), stage("answer", 0.1, 0)};
  return importance;
}

}  // namespace litestage::test
