#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "litestage/tokenizer.h"
#include "offline/damage_meter.h"
#include "support/small_model.h"

namespace litestage::test {
namespace {

struct Passage {
  const char* question;
  const char* text;
};

const Passage PASSAGES[] = {
    {"Which of them is warm to the touch?",
     " Wood feels warm to the touch, because it takes little heat from the hand. Iron takes heat "
     "away quickly, and so it feels cold even when both are equally warm."},
    {"What would you make a pan of, and why?",
     " A pan should be made of iron, so that the heat of the fire reaches the food, and its handle "
     "should be made of wood, so that the heat does not reach the hand of the cook. Copper is "
     "better still, but it costs more, and it must be kept clean. Glass would break, and a pan "
     "made of wood would burn."},
    {"Does a spoon of silver conduct heat?", " Yes, silver conducts heat very well."},
};

std::vector<StageTrace> texts_of(const Tokenizer& tokenizer) {
  std::string shared;
  for (int i = 0; i < 8; ++i)
    shared += "Iron is a metal that conducts heat. Wood comes from trees and does not. ";
  std::vector<StageTrace> traces;
  for (const Passage& passage : PASSAGES) {
    traces.push_back({.stage = "recall",
                      .question = static_cast<int>(traces.size()),
                      .context = tokenizer.encode(shared + passage.question, true, false),
                      .fresh = 8,
                      .text = tokenizer.encode(passage.text, false, false)});
  }
  return traces;
}

class RealDamageMeter : public SmallModel {
 protected:
  void SetUp() override {
    SmallModel::SetUp();
    if (!file_.empty()) model_ = Model::load(file_);
  }

  std::shared_ptr<const Model> model_;
};

TEST_F(RealDamageMeter, NothingLeftOutIsNoDamage) {
  DecoderOptions options;
  options.context = 1024;
  Decoder decoder(model_, options);
  DamageMeter meter(decoder, texts_of(model_->tokenizer()));
  const Damage kept = meter.measure("recall", {});
  EXPECT_LT(kept.kl, 1e-5);
  EXPECT_EQ(kept.top1, 1);
  // Other cells: sums round differently, and activations to other steps.
  decoder.clear();
  EXPECT_LT(meter.measure("recall", {}).kl, 1e-2);
}

TEST_F(RealDamageMeter, DamageGrowsWithWhatIsLeftOut) {
  Decoder decoder(model_);
  DamageMeter meter(decoder, texts_of(model_->tokenizer()));
  const int layers = model_->layer_count();
  const auto damage_of = [&](const char* text) {
    return meter.measure("recall", StageSettings::with_mask(SublayerMask::parse(text, layers)));
  };
  const Damage one = damage_of("f14");
  const Damage four = damage_of("f12-15");
  const Damage many = damage_of("a4-24,f4-24");
  EXPECT_GT(one.kl, 1e-3);
  EXPECT_LT(one.kl, 1);
  EXPECT_GT(one.top1, 0.5);
  EXPECT_GT(one.kl_error, 0);
  EXPECT_GT(four.kl, 2 * one.kl);
  EXPECT_GT(many.kl, 2 * four.kl);
  EXPECT_LT(many.top1, 0.5);
}

}  // namespace
}  // namespace litestage::test
