#include "litestage/sublayer_mask.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

#include "litestage/error.h"

namespace litestage {
namespace {

constexpr int MASK_LAYERS = 24;

SublayerMask parse(std::string_view text) {
  return SublayerMask::parse(text, MASK_LAYERS, "--mask");
}

TEST(SublayerMask, ReadsItsShortForm) {
  const SublayerMask mask = parse("a3,f10-12,a5*1.04");
  EXPECT_EQ(mask.skipped_count(), 5U);
  EXPECT_TRUE(mask.skips(Sublayer::attention, 3));
  EXPECT_FALSE(mask.skips(Sublayer::ffn, 3));
  for (const int layer : {10, 11, 12})
    EXPECT_TRUE(mask.skips(Sublayer::ffn, layer));
  EXPECT_FALSE(mask.skips(Sublayer::ffn, 9));
  EXPECT_FALSE(mask.skips(Sublayer::ffn, 13));
  EXPECT_TRUE(mask.skips(Sublayer::attention, 5));
  EXPECT_FLOAT_EQ(mask.scale(Sublayer::attention, 5), 1.04F);
  EXPECT_FLOAT_EQ(mask.scale(Sublayer::attention, 3), 1.0F);
  EXPECT_FLOAT_EQ(mask.scale(Sublayer::attention, 4), 1.0F);
  EXPECT_EQ(mask.last_layer(), 12);
}

TEST(SublayerMask, EmptyForms) {
  for (const char* text : {"", "none"}) {
    EXPECT_TRUE(parse(text).empty()) << text;
    EXPECT_EQ(parse(text), SublayerMask()) << text;
  }
  EXPECT_EQ(SublayerMask().to_string(), "none");
  EXPECT_EQ(SublayerMask().last_layer(), -1);
}

TEST(SublayerMask, PrintsRanges) {
  SublayerMask mask;
  for (const int layer : {4, 5, 6})
    mask.skip(Sublayer::ffn, layer);
  const std::string text = mask.to_string();
  EXPECT_EQ(text, "f4-6");
  EXPECT_EQ(parse("f6,f5,f4"), mask);
}

TEST(SublayerMask, RefusesWhatItCannotRead) {
  for (const char* text :
       {"x3",    "a",      "3",       "a-1",      "a3-",  "a-3",     "a5-3",
        "a3,",   ",a3",    "a3,,f4",  "a3*",      "a3*x", "a3*nan",  "a3*inf",
        "a3**2", "a3*1*2", "a3 f4",   "a3;f4",    "aa3",  "a3-4-5",  "a99999999999999999999",
        "a1e1",  "A3x",    "none,a3", "a3*1e999", "a0x3", "a3\n\xff"}) {
    EXPECT_THROW(parse(text), UserError) << "'" << text << "'";
  }
}

TEST(SublayerMask, RefusesLayersTheModelLacks) {
  for (const char* text : {"a24", "f24", "f20-24", "a23,f512", "a511"}) {
    try {
      parse(text);
      FAIL() << text;
    } catch (const UserError& error) {
      EXPECT_EQ(error.where(), "--mask");
      EXPECT_NE(std::string(error.what()).find("23"), std::string::npos)
          << "should name the layers there are: " << error.what();
    }
  }
  EXPECT_NO_THROW(parse("a23,f0-23"));
}

TEST(SublayerMask, KeepUndoesSkip) {
  SublayerMask mask;
  mask.skip(Sublayer::attention, 2, 1.5F);
  mask.skip(Sublayer::ffn, 2);
  mask.keep(Sublayer::attention, 2);
  EXPECT_EQ(mask, parse("f2"));
  EXPECT_FLOAT_EQ(mask.scale(Sublayer::attention, 2), 1.0F);
  mask.keep(Sublayer::ffn, 2);
  EXPECT_EQ(mask, SublayerMask());
}

TEST(SublayerMask, AScaleOfOneIsNoScale) {
  SublayerMask scaled;
  scaled.skip(Sublayer::ffn, 1, 2.0F);
  scaled.skip(Sublayer::ffn, 1, 1.0F);
  EXPECT_EQ(scaled, parse("f1"));
  EXPECT_NE(parse("f1*2"), parse("f1"));
}

SublayerMask any_mask() {
  SublayerMask mask;
  const int items = *rc::gen::inRange(0, 40);
  for (int i = 0; i < items; ++i) {
    const auto sublayer = *rc::gen::element(Sublayer::attention, Sublayer::ffn);
    const int layer = *rc::gen::inRange(0, MASK_LAYERS);
    const float scale = *rc::gen::element(1.0F, 1.0F, 1.0F, 0.5F, 1.04F, 1.0000001F, 1.0F / 3.0F,
                                          12345.678F, 1e-7F);
    mask.skip(sublayer, layer, scale);
  }
  return mask;
}

TEST(SublayerMask, PrintedAndReadIsTheSame) {
  EXPECT_TRUE(rc::check([] {
    const SublayerMask mask = any_mask();
    RC_ASSERT(parse(mask.to_string()) == mask);
    RC_ASSERT(parse(mask.to_string()).to_string() == mask.to_string());
  }));
}

TEST(SublayerMask, AnyTextIsReadOrRefused) {
  EXPECT_TRUE(rc::check([] {
    const auto text = *rc::gen::container<std::string>(rc::gen::element(
        'a', 'f', '0', '1', '2', '9', '-', ',', '*', '.', ' ', 'e', 'n', '\0', '\xff'));
    try {
      const SublayerMask mask = parse(text);
      RC_ASSERT(parse(mask.to_string()) == mask);
    } catch (const UserError&) {
      RC_TAG("refused");
    }
  }));
}

}  // namespace
}  // namespace litestage
