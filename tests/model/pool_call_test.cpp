// Which calls a pool computes together.
#include "model/pool_call.h"

#include <gtest/gtest.h>

#include <deque>

namespace litestage::test {
namespace {

constexpr std::size_t UBATCH = 512;

/// Calls of clients of their own, all admitted.
class Calls {
 public:
  PoolCall& add(std::size_t tokens, const SublayerMask& mask = {}, std::span<const Tap> taps = {}) {
    PoolCall& call = calls_.emplace_back(PoolCall{.member = members_.emplace_back(),
                                                  .key = {mask, nullptr},
                                                  .batch = std::vector<BatchToken>(tokens),
                                                  .taps = taps,
                                                  .interrupt = interrupt_,
                                                  .logits = logits_,
                                                  .tap_values = taps_});
    call.admitted = true;
    waiting_.push_back(&call);
    return call;
  }

  /// Tokens of each call, in their order.
  std::vector<std::size_t> choose(bool decoding = false) const {
    std::vector<std::size_t> tokens(waiting_.size(), 0);
    for (const Piece& piece : choose_batch(waiting_, UBATCH, decoding)) {
      const auto at = std::find(waiting_.begin(), waiting_.end(), piece.call) - waiting_.begin();
      tokens[static_cast<std::size_t>(at)] = piece.batch.size();
      EXPECT_EQ(piece.batch.data(), piece.call->batch.data() + piece.call->placed);
    }
    return tokens;
  }

 private:
  std::deque<PoolMember> members_;
  std::deque<PoolCall> calls_;
  std::vector<PoolCall*> waiting_;
  std::function<bool()> interrupt_;
  std::vector<float> logits_;
  std::vector<std::vector<float>> taps_;
};

using Tokens = std::vector<std::size_t>;

SublayerMask some_mask() {
  return SublayerMask::parse("f1", 3);
}

TEST(PoolCall, StepsUnderOneMaskGoTogether) {
  Calls calls;
  calls.add(1);
  calls.add(4);
  calls.add(1, some_mask());
  calls.add(2);
  EXPECT_EQ(calls.choose(), (Tokens{1, 4, 0, 2}));
}

TEST(PoolCall, TheLongestWaitingDecidesTheMask) {
  Calls calls;
  calls.add(1, some_mask());
  calls.add(1);
  calls.add(1);
  EXPECT_EQ(calls.choose(), (Tokens{1, 0, 0}));
}

TEST(PoolCall, TapsAreComputedAlone) {
  const std::vector<Tap> taps = {{TapPoint::final_norm, 0}};
  Calls behind;
  behind.add(1);
  behind.add(1, {}, taps);
  EXPECT_EQ(behind.choose(), (Tokens{1, 0}));
  Calls before;
  before.add(1, {}, taps);
  before.add(1);
  EXPECT_EQ(before.choose(), (Tokens{1, 0}));
}

TEST(PoolCall, ReadingAloneFillsABatch) {
  Calls calls;
  calls.add(400);
  calls.add(400);
  EXPECT_EQ(calls.choose(), (Tokens{400, 112}));
}

TEST(PoolCall, ReadingIsCutWhileSomeoneDecodes) {
  Calls together;
  together.add(400);
  together.add(300);
  together.add(1);
  EXPECT_EQ(together.choose(), (Tokens{128, 0, 1})) << "one piece for all readers";
  Calls other_mask;
  other_mask.add(400);
  other_mask.add(1, some_mask());
  EXPECT_EQ(other_mask.choose(), (Tokens{128, 0}));
  Calls soon;
  soon.add(400);
  EXPECT_EQ(soon.choose(true), Tokens{128}) << "a decoding client is about to call";
}

TEST(PoolCall, ACallGoesOnWhereItIs) {
  Calls calls;
  calls.add(400).placed = 390;
  calls.add(1);
  EXPECT_EQ(calls.choose(), (Tokens{10, 1}));
}

TEST(PoolCall, CallsWithoutRoomWait) {
  Calls calls;
  calls.add(1).admitted = false;
  EXPECT_EQ(calls.choose(), Tokens{0});
  calls.add(1);
  EXPECT_EQ(calls.choose(), (Tokens{0, 1}));
}

}  // namespace
}  // namespace litestage::test
