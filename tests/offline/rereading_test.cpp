// What stages read again when one of them leaves sublayers out, in texts that can be counted.
#include "offline/rereading.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace litestage::test {
namespace {

constexpr int REREADING_LAYERS = 2;

std::vector<Token> tokens_up_to(int end) {
  std::vector<Token> tokens(static_cast<std::size_t>(end));
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

/// A stage that reads 10 tokens and writes 5 behind them, and one that goes on from there: 20
/// tokens, of which 4 written ones are held (the last one was never read) and 6 are new.
std::vector<StageTrace> two_stages(int questions) {
  std::vector<StageTrace> traces;
  for (int question = 0; question < questions; ++question) {
    traces.push_back({"think", question, tokens_up_to(10), 10, {10, 11, 12, 13, 14}});
    traces.push_back({"answer", question, tokens_up_to(20), 6, {}});
  }
  return traces;
}

/// A fresh token takes 2 ms in the first stage and 3 ms in the second, an FFN half a millisecond.
Importance two_stages_cost() {
  Importance importance;
  for (const auto& [name, ms] : {std::pair("think", 2.0), std::pair("answer", 3.0)}) {
    StageImportance& stage = importance.stages.emplace_back();
    stage.name = name;
    stage.prefill_ms = ms;
    stage.layers.resize(REREADING_LAYERS);
    for (int layer = 0; layer < REREADING_LAYERS; ++layer)
      stage.of(Sublayer::ffn, layer).prefill.ms = 0.5;
  }
  return importance;
}

StageSettings leaving_out(const char* prefill, const char* decode) {
  return {SublayerMask::parse(prefill, REREADING_LAYERS),
          SublayerMask::parse(decode, REREADING_LAYERS),
          {}};
}

class RereadingTest : public testing::Test {
 protected:
  double ms(KvReuse reuse, const std::string& stage, const StageSettings& settings) const {
    return Rereading(importance_, two_stages(3), {}, reuse).ms(stage, settings);
  }

  const Importance importance_ = two_stages_cost();
};

TEST_F(RereadingTest, NothingLeftOutReadsNothingAgain) {
  for (const KvReuse reuse : {KvReuse::exact, KvReuse::whole}) {
    EXPECT_EQ(ms(reuse, "think", {}), 0);
    EXPECT_EQ(ms(reuse, "answer", {}), 0);
  }
}

TEST_F(RereadingTest, WholeKvOfOtherFfnsServes) {
  EXPECT_EQ(ms(KvReuse::whole, "think", leaving_out("f0", "f0-1")), 0);
  EXPECT_EQ(ms(KvReuse::whole, "answer", leaving_out("f0", "f0")), 0);
  // Exactly the same mask is asked for: the text, or all of it.
  EXPECT_DOUBLE_EQ(ms(KvReuse::exact, "think", leaving_out("none", "f0")), 4 * 3.0);
  EXPECT_DOUBLE_EQ(ms(KvReuse::exact, "think", leaving_out("f0", "f0")), 14 * 3.0);
}

TEST_F(RereadingTest, WhatAttentionDidNotWriteIsReadAgain) {
  for (const KvReuse reuse : {KvReuse::exact, KvReuse::whole}) {
    EXPECT_DOUBLE_EQ(ms(reuse, "think", leaving_out("none", "a1")), 4 * 3.0);
    EXPECT_DOUBLE_EQ(ms(reuse, "think", leaving_out("a1", "a1")), 14 * 3.0);
  }
  EXPECT_EQ(ms(KvReuse::whole, "answer", leaving_out("a0", "a0")), 0) << "it needs less";
}

TEST_F(RereadingTest, AStageReadsAgainAtItsOwnPrice) {
  EXPECT_DOUBLE_EQ(ms(KvReuse::exact, "answer", leaving_out("f0", "f0")), 14 * 2.5);
}

TEST_F(RereadingTest, OneCanBeAskedAgain) {
  Rereading rereading(importance_, two_stages(2), {}, KvReuse::whole);
  const StageSettings settings = leaving_out("none", "a1");
  const double first = rereading.ms("think", settings);
  EXPECT_EQ(rereading.ms("answer", {}), 0) << "the settings before are forgotten";
  EXPECT_EQ(rereading.ms("think", settings), first);
  EXPECT_EQ(Rereading(importance_, {}, {}, KvReuse::whole).ms("think", settings), 0);
}

}  // namespace
}  // namespace litestage::test
