// Several threads on one decoder: each gets what it would get alone, whatever the others do.
#include "litestage/decoder_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "litestage/error.h"
#include "support/decoder_tools.h"
#include "support/libllama_oracle.h"
#include "support/naive_cache.h"
#include "support/pool_tools.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

constexpr double POOL_BOUND = 1e-9;  // F32 weights and cache: nothing but the order of sums differs

class DecoderPoolTest : public testing::Test {
 protected:
  DecoderPoolTest() : tiny_({.context = 4096}) {}

  std::vector<Token> tokens(int count, std::uint32_t seed) const {
    return random_tokens(count, tiny_.vocabulary_size(), seed);
  }

  /// Logits of the last of some tokens, by a decoder alone.
  std::vector<float> alone(std::span<const Token> tokens) const {
    Decoder decoder(tiny_.model(), exact_decoder(256));
    const ForwardResult result = decoder.forward(0, tokens);
    return {result.logits.begin(), result.logits.end()};
  }

  /// An interrupt function that holds the pool up until so many calls have been made in all.
  static std::function<bool()> until_calls(const DecoderPool& pool, std::int64_t calls) {
    return [&pool, calls] {
      while (pool.statistics().calls < calls)
        std::this_thread::yield();
      return false;
    };
  }

  LoadedTiny tiny_;
};

/// One client that does what it likes, beside the books of what it should get.
class RandomClient {
 public:
  RandomClient(const LoadedTiny& tiny, DecoderPool& pool, const DecoderOptions& options,
               unsigned seed)
      : decoder_(pool.client()), naive_(tiny.model(), options), random_(seed) {
    for (const char* text : {"none", "none", "a1", "f1", "a0,f2", "f0*1.3"})
      masks_.push_back(SublayerMask::parse(text, tiny.model()->layer_count()));
  }

  void step() {
    const SequenceId id = any(3);
    const int length = static_cast<int>(naive_.sequence(id).size());
    switch (any(6)) {
      case 0: {
        const SequenceId to = any(3);
        if (!naive_.sequence(to).empty() || length == 0) break;
        const int part = 1 + any(length);
        decoder_.fork(id, to, part);
        naive_.fork(id, to, part);
        break;
      }
      case 1: {
        const int part = any(length + 1);
        decoder_.truncate(id, part);
        naive_.truncate(id, part);
        break;
      }
      default:
        append(id);
    }
    for (SequenceId each = 0; each < 3; ++each)
      EXPECT_EQ(decoder_.length(each), static_cast<int>(naive_.sequence(each).size()));
    EXPECT_EQ(decoder_.sequences(), naive_.living());
  }

  int appended() const { return appended_; }

 private:
  int any(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

  void append(SequenceId id) {
    if (naive_.sequence(id).size() > 30) {
      decoder_.remove(id);
      return naive_.remove(id);
    }
    const SublayerMask& mask = masks_[random_() % masks_.size()];
    const int count = any(4) == 0 ? 20 : 1 + any(2);
    std::vector<BatchToken> batch;
    for (int i = 0; i < count; ++i)
      batch.push_back({3 + any(4), id, i + 1 == count});
    if (naive_.first_lacking(id, mask)) {
      EXPECT_THROW(decoder_.forward(batch, mask), UserError);
      return;
    }
    const ForwardResult result = decoder_.forward(batch, mask);
    naive_.append(batch, mask);
    ASSERT_EQ(result.rows, 1);
    EXPECT_LT(nmse(result.logits, naive_.last_logits(id)), POOL_BOUND);
    ++appended_;
  }

  Decoder decoder_;
  NaiveCache naive_;
  std::mt19937 random_;
  std::vector<SublayerMask> masks_;
  int appended_ = 0;
};

TEST_F(DecoderPoolTest, WhateverOthersDoAClientGetsTheLogitsOfAFullRun) {
  const DecoderOptions options = exact_decoder(640);
  DecoderPool pool(tiny_.model(), options);
  std::atomic<int> appended = 0;
  on_threads(6, [&](int i) {
    RandomClient client(tiny_, pool, exact_decoder(64), static_cast<unsigned>(i) + 1);
    for (int step = 0; step < 60; ++step)
      client.step();
    appended += client.appended();
  });
  EXPECT_GT(appended, 60);
  EXPECT_EQ(pool.client().free_cells(), options.context);
}

TEST_F(DecoderPoolTest, LongTextsInSmallGraphsBesideDecodingOnes) {
  DecoderOptions options = exact_decoder(1024);
  options.ubatch = 24;
  DecoderPool pool(tiny_.model(), options);
  on_threads(4, [&](int i) {
    Decoder client = pool.client();
    const std::vector<Token> text = tokens(i % 2 == 0 ? 150 : 20, static_cast<std::uint32_t>(i));
    std::vector<float> last;
    if (i % 2 == 0) {
      const ForwardResult result = client.forward(batch_of(text));
      ASSERT_EQ(result.rows, 150);
      const auto row = result.row(149, tiny_.vocabulary_size());
      last.assign(row.begin(), row.end());
    } else {
      last = stepwise_logits(client, text);
      last.erase(last.begin(), last.end() - tiny_.vocabulary_size());
    }
    EXPECT_LT(nmse(last, alone(text)), POOL_BOUND);
  });
}

TEST_F(DecoderPoolTest, BackfillsForOneClientBesideOthers) {
  DecoderPool pool(tiny_.model(), exact_decoder(256, MissingKv::backfill));
  const SublayerMask mask = SublayerMask::parse("a1", 3);
  on_threads(4, [&](int i) {
    Decoder client = pool.client();
    const std::vector<Token> text = tokens(20, static_cast<std::uint32_t>(i));
    client.forward(0, std::span(text).first(19), mask);
    const ForwardResult result = client.forward(0, std::span(text).last(1));
    EXPECT_EQ(result.backfilled, 19);
    EXPECT_LT(nmse(result.logits, alone(text)), POOL_BOUND);
  });
}

TEST_F(DecoderPoolTest, TapsAreAClientsOwn) {
  DecoderPool pool(tiny_.model(), exact_decoder(256));
  const std::vector<Tap> taps = {{TapPoint::ffn_out, 1}, {TapPoint::final_norm, 0}};
  on_threads(4, [&](int i) {
    const std::vector<BatchToken> batch = batch_of(tokens(20, static_cast<std::uint32_t>(i)));
    Decoder lone(tiny_.model(), exact_decoder(64));
    const ForwardResult expected = lone.forward(batch, {}, taps);
    Decoder client = pool.client();
    const ForwardResult result = client.forward(batch, {}, taps);
    ASSERT_EQ(result.taps.size(), 2U);
    for (std::size_t tap = 0; tap < 2; ++tap)
      EXPECT_LT(nmse(result.taps[tap], expected.taps[tap]), POOL_BOUND);
  });
}

TEST_F(DecoderPoolTest, CallsThatWaitTogetherAreOneBatch) {
  DecoderPool pool(tiny_.model(), exact_decoder(256));
  on_threads(5, [&](int i) {
    Decoder client = pool.client();
    client.set_interrupt(until_calls(pool, 5));
    const std::vector<Token> text = tokens(3, static_cast<std::uint32_t>(i));
    EXPECT_LT(nmse(client.forward(0, text).logits, alone(text)), POOL_BOUND);
  });
  EXPECT_EQ(pool.statistics().calls, 5);
  EXPECT_EQ(pool.statistics().batches, 1);
  EXPECT_EQ(pool.statistics().tokens, 15);
}

TEST_F(DecoderPoolTest, ResultsStayUntilTheClientsOwnNextCall) {
  DecoderPool pool(tiny_.model(), exact_decoder(256));
  Decoder one = pool.client();
  Decoder other = pool.client();
  const std::vector<Token> text = tokens(5, 1);
  const ForwardResult result = one.forward(0, text);
  other.forward(0, tokens(9, 2));
  EXPECT_LT(nmse(result.logits, alone(text)), POOL_BOUND);
}

TEST_F(DecoderPoolTest, SequencesAreAClientsOwn) {
  DecoderPool pool(tiny_.model(), exact_decoder(256));
  Decoder one = pool.client();
  Decoder other = pool.client();
  one.forward(0, tokens(5, 1));
  one.forward(7, tokens(6, 2));
  EXPECT_TRUE(other.sequences().empty());
  EXPECT_EQ(other.unused_sequence(), 0);
  EXPECT_EQ(other.length(7), 0);
  other.forward(7, tokens(4, 3));
  EXPECT_EQ(one.sequences(), (std::vector<SequenceId>{0, 7}));
  EXPECT_EQ(one.length(7), 6);
  EXPECT_EQ(one.free_cells(), 256 - 15) << "cells are common";
  other.clear();
  EXPECT_TRUE(other.sequences().empty());
  EXPECT_EQ(one.length(0), 5);
  EXPECT_EQ(one.free_cells(), 256 - 11);
  EXPECT_EQ(one.graph_statistics().built + one.graph_statistics().reused, 2);
}

TEST_F(DecoderPoolTest, APrefixOfAnotherClientIsFound) {
  DecoderPool pool(tiny_.model(), exact_decoder(256));
  auto one = std::make_unique<Decoder>(pool.client());
  Decoder other = pool.client();
  const std::vector<Token> text = tokens(30, 1);
  one->forward(3, std::span(text).first(25));
  HeldPrefix held = other.held_prefix(text, {});
  EXPECT_EQ(held.length, 25);
  EXPECT_LT(held.sequence, 0) << "none that the client's own may be taken for";
  EXPECT_TRUE(other.sequences().empty());
  EXPECT_EQ(other.held_prefix(text, SublayerMask::parse("f1", 3)).length, 0);
  EXPECT_EQ(other.free_cells(), 256 - 25) << "nothing is copied";

  // What is found stays, also when the other one lets go of it.
  held = other.held_prefix(text, {});
  one.reset();
  other.fork(held.sequence, 0, held.length);
  EXPECT_LT(nmse(other.forward(0, std::span(text).last(5)).logits, alone(text)), POOL_BOUND);
  EXPECT_EQ(pool.statistics().tokens, 30);
  EXPECT_EQ(other.held_prefix(text, {}).sequence, 0) << "its own comes first";
  other.remove(0);
  EXPECT_EQ(other.free_cells(), 256);
  EXPECT_EQ(other.held_prefix(text, {}).sequence, -1);
}

TEST_F(DecoderPoolTest, WhatIsFoundButNotForkedIsGivenBack) {
  DecoderPool pool(tiny_.model(), exact_decoder(256));
  Decoder one = pool.client();
  Decoder other = pool.client();
  const std::vector<Token> text = tokens(30, 1);
  one.forward(0, text);
  EXPECT_EQ(other.held_prefix(text, {}).length, 30);
  one.clear();
  EXPECT_EQ(one.free_cells(), 256 - 30) << "still held";
  other.forward(0, tokens(1, 2));
  EXPECT_EQ(one.free_cells(), 256 - 1);
}

TEST_F(DecoderPoolTest, AnErrorReachesItsCallerAlone) {
  DecoderPool pool(tiny_.model(), exact_decoder(64));
  std::vector<Decoder> clients;
  for (int i = 0; i < 5; ++i)
    clients.push_back(pool.client());
  clients[1].forward(0, tokens(4, 1), SublayerMask::parse("a1", 3));
  on_threads(5, [&](int i) {
    const std::vector<Token> text = tokens(4, static_cast<std::uint32_t>(i));
    Decoder& client = clients[static_cast<std::size_t>(i)];
    if (i == 0) {  // no such token: never even posted
      EXPECT_THROW(client.forward(0, std::vector<Token>{tiny_.vocabulary_size()}), UserError);
      EXPECT_TRUE(client.sequences().empty());
      return;
    }
    client.set_interrupt(until_calls(pool, 5));
    if (i == 1) {  // missing KV
      EXPECT_THROW(client.forward(0, text), UserError);
      EXPECT_EQ(client.length(0), 4);
    } else if (i == 2) {  // more than all cells
      EXPECT_THROW(client.forward(0, tokens(65, 1)), UserError);
      EXPECT_TRUE(client.sequences().empty());
    } else {
      EXPECT_LT(nmse(client.forward(0, text).logits, alone(text)), POOL_BOUND);
    }
  });
  EXPECT_EQ(pool.statistics().batches, 2);
}

TEST_F(DecoderPoolTest, AnInterruptEndsItsClientsCallAlone) {
  DecoderPool pool(tiny_.model(), exact_decoder(64));
  on_threads(3, [&](int i) {
    const std::vector<Token> text = tokens(4, static_cast<std::uint32_t>(i));
    Decoder client = pool.client();
    const std::function<bool()> wait = until_calls(pool, 3);
    int asked = 0;  // client 0 comes first, and is asked to stop while the batch is computed
    while (i != 0 && pool.statistics().calls == 0)
      std::this_thread::yield();
    client.set_interrupt([&, i] { return wait() || (i == 0 && ++asked > 1); });
    const ForwardResult result = client.forward(0, text);
    EXPECT_EQ(result.interrupted, i == 0);
    if (i == 0) {
      EXPECT_EQ(result.rows, 0);
      EXPECT_TRUE(client.sequences().empty());
      client.set_interrupt(nullptr);
      EXPECT_LT(nmse(client.forward(0, text).logits, alone(text)), POOL_BOUND);
    } else {
      EXPECT_LT(nmse(result.logits, alone(text)), POOL_BOUND);
    }
  });
}

TEST_F(DecoderPoolTest, AnInterruptStopsABatchThatNobodyElseNeeds) {
  DecoderPool pool(tiny_.model(), exact_decoder(64));
  Decoder client = pool.client();
  client.forward(0, tokens(3, 1));
  int asked = 0;
  client.set_interrupt([&] { return ++asked > 2; });
  EXPECT_TRUE(client.forward(0, tokens(20, 2)).interrupted);
  EXPECT_EQ(pool.statistics().batches, 1) << "the second one was never finished";
  EXPECT_EQ(client.length(0), 3);
  EXPECT_EQ(client.free_cells(), 61);
}

TEST_F(DecoderPoolTest, ACallWaitsForCellsThatOthersLetGoOf) {
  DecoderPool pool(tiny_.model(), exact_decoder(64));
  Decoder holder = pool.client();
  const std::vector<Token> text = tokens(40, 1);
  holder.forward(0, text);
  std::thread waiting([&] {
    Decoder client = pool.client();
    EXPECT_LT(nmse(client.forward(0, text).logits, alone(text)), POOL_BOUND);
  });
  // The holder's own step is computed although the other one waits.
  holder.set_interrupt(until_calls(pool, 3));
  EXPECT_FALSE(holder.forward(0, tokens(1, 2)).interrupted);
  holder.clear();
  waiting.join();
  EXPECT_EQ(holder.free_cells(), 64);
}

TEST_F(DecoderPoolTest, WhoWaitsForRoomCanBeInterrupted) {
  DecoderPool pool(tiny_.model(), exact_decoder(64));
  Decoder holder = pool.client();
  holder.forward(0, tokens(40, 1));
  std::thread waiting([&] {
    Decoder client = pool.client();
    int asked = 0;
    client.set_interrupt([&] { return ++asked > 3; });
    EXPECT_TRUE(client.forward(0, tokens(40, 2)).interrupted);
    EXPECT_EQ(asked, 4);
  });
  waiting.join();
  EXPECT_EQ(holder.length(0), 40);
}

TEST_F(DecoderPoolTest, ClientsThatAllWaitForRoomDoNotWaitForever) {
  DecoderPool pool(tiny_.model(), exact_decoder(64));
  std::atomic<int> failed = 0;
  on_threads(4, [&](int i) {
    Decoder client = pool.client();
    for (int text = 0; text < 5; ++text) {
      try {
        for (int part = 0; part < 5; ++part)
          client.forward(0, tokens(10, static_cast<std::uint32_t>(10 * i + part)));
      } catch (const UserError&) {
        ++failed;
      }
      client.clear();
    }
  });
  EXPECT_LT(failed, 20) << "some texts had the room that others gave back";
  EXPECT_EQ(pool.client().free_cells(), 64);
}

TEST_F(DecoderPoolTest, AFullCacheIsRefusedAndUnchanged) {
  DecoderPool pool(tiny_.model(), exact_decoder(64));
  Decoder client = pool.client();
  client.forward(0, tokens(60, 1));
  EXPECT_THROW(client.forward(1, tokens(5, 2)), UserError);
  EXPECT_EQ(client.sequences(), std::vector<SequenceId>{0});
  EXPECT_EQ(client.free_cells(), 4);
  EXPECT_EQ(client.forward(1, tokens(4, 2)).rows, 1);
}

TEST_F(DecoderPoolTest, ClientsComeAndGo) {
  DecoderPool pool(tiny_.model(), exact_decoder(512));
  const std::vector<Token> preamble = tokens(8, 99);
  on_threads(8, [&](int i) {
    for (int life = 0; life < 25; ++life) {
      Decoder client = pool.client();
      if (life % 5 == 4) continue;  // without a call
      std::vector<Token> text = preamble;
      const std::vector<Token> own = tokens(3, static_cast<std::uint32_t>(100 * i + life));
      text.insert(text.end(), own.begin(), own.end());
      const HeldPrefix held = client.held_prefix(text, {});
      if (held.length > 0) client.fork(held.sequence, 0, held.length);
      const auto rest = std::span(text).subspan(static_cast<std::size_t>(held.length));
      if (rest.empty()) continue;
      EXPECT_LT(nmse(client.forward(0, rest).logits, alone(text)), POOL_BOUND);
      if (life % 2 == 0) client.forward(1, own);
    }
  });
  EXPECT_EQ(pool.client().free_cells(), 512);
}

}  // namespace
}  // namespace litestage::test
