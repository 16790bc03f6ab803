// The KV cache against a naive model of it: whatever is appended, forked, cut and removed, under
// whatever masks, the logits are those of a full run from nothing.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "litestage/error.h"
#include "support/decoder_tools.h"
#include "support/libllama_oracle.h"
#include "support/naive_cache.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

constexpr int PROPERTY_LAYERS = 3;
constexpr int SEQUENCES = 5;
constexpr int ROOMY = 200;  // cells that no run of steps fills

enum class Kind : std::uint8_t { append, fork, truncate, remove, clear };

// Meaningful whatever the state is: numbers are taken modulo what is there.
struct Step {
  Kind kind = Kind::append;
  unsigned first = 0;
  unsigned second = 0;
  unsigned amount = 0;
  unsigned mask = 0;
  std::vector<std::pair<unsigned, Token>> batch;  // sequence, token
};

std::ostream& operator<<(std::ostream& out, const Step& step) {
  static const char* const NAMES[] = {"append", "fork", "truncate", "remove", "clear"};
  out << NAMES[static_cast<int>(step.kind)] << "(first " << step.first << ", second " << step.second
      << ", amount " << step.amount << ", mask " << step.mask << ", batch";
  for (const auto& [sequence, token] : step.batch)
    out << " " << sequence << ":" << token;
  return out << ")";
}

rc::Gen<Step> steps() {
  const auto small = rc::gen::inRange(0U, 64U);
  // A small alphabet, so that prefixes meet again.
  const auto item =
      rc::gen::pair(rc::gen::inRange(0U, unsigned{SEQUENCES}), rc::gen::inRange(3, 7));
  return rc::gen::build<Step>(
      rc::gen::set(&Step::kind, rc::gen::weightedElement<Kind>({{10, Kind::append},
                                                                {4, Kind::fork},
                                                                {3, Kind::truncate},
                                                                {2, Kind::remove},
                                                                {1, Kind::clear}})),
      rc::gen::set(&Step::first, small), rc::gen::set(&Step::second, small),
      rc::gen::set(&Step::amount, small), rc::gen::set(&Step::mask, small),
      rc::gen::set(
          &Step::batch,
          rc::gen::resize(12,
                          rc::gen::nonEmpty(
                              rc::gen::container<std::vector<std::pair<unsigned, Token>>>(item)))));
}

const std::vector<SublayerMask>& masks() {
  static const std::vector<SublayerMask> MASKS = [] {
    std::vector<SublayerMask> masks;
    for (const char* text :
         {"none", "none", "none", "a1", "f1", "a0,f2", "a1-2", "a0-2", "f0*1.3", "a1*0.9,f1"}) {
      masks.push_back(SublayerMask::parse(text, PROPERTY_LAYERS));
    }
    return masks;
  }();
  return MASKS;
}

/// How many appends ended how, so that a test can say that it met them all.
struct Counts {
  int appended = 0;
  int backfilled = 0;
  int refused = 0;
  int full = 0;
};

/// Runs steps on a decoder and on the naive cache and compares them after each.
class Pair {
 public:
  Pair(const LoadedTiny& tiny, const DecoderOptions& options, Counts& counts)
      : options_(options),
        counts_(counts),
        decoder_(tiny.model(), options),
        naive_(tiny.model(), plain(options)),
        vocabulary_size_(tiny.vocabulary_size()) {}

  void run(const Step& step) {
    const auto from = static_cast<SequenceId>(step.first % SEQUENCES);
    const int length = static_cast<int>(naive_.sequence(from).size());
    const int part = static_cast<int>(step.amount % static_cast<unsigned>(length + 1));
    switch (step.kind) {
      case Kind::append:
        append(step);
        break;
      case Kind::fork: {
        const auto to = static_cast<SequenceId>(step.second % SEQUENCES);
        if (length == 0 || !naive_.sequence(to).empty()) return;
        const bool whole = step.amount % 2 == 0;
        decoder_.fork(from, to, whole ? std::nullopt : std::optional(part));
        naive_.fork(from, to, whole ? length : part);
        break;
      }
      case Kind::truncate:
        decoder_.truncate(from, part);
        naive_.truncate(from, part);
        break;
      case Kind::remove:
        decoder_.remove(from);
        naive_.remove(from);
        break;
      case Kind::clear:
        decoder_.clear();
        for (const SequenceId id : naive_.living())
          naive_.remove(id);
        break;
    }
    compare_books();
  }

 private:
  /// The reference attends in one way, whatever the decoder chooses.
  static DecoderOptions plain(DecoderOptions options) {
    options.flash_attention = FlashAttention::off;
    return options;
  }

  void append(const Step& step) {
    const SublayerMask& mask = masks()[step.mask % masks().size()];
    std::vector<BatchToken> batch;
    for (const auto& [sequence, token] : step.batch) {
      batch.push_back({token, static_cast<SequenceId>(sequence), false});
    }
    // Logits of the last token of each sequence.
    for (auto item = batch.rbegin(); item != batch.rend(); ++item) {
      item->want_logits = std::none_of(batch.rbegin(), item, [&](const BatchToken& later) {
        return later.sequence == item->sequence;
      });
    }
    const bool lacking = std::any_of(batch.begin(), batch.end(), [&](const BatchToken& item) {
      return naive_.first_lacking(item.sequence, mask).has_value();
    });
    const bool refused = lacking && options_.missing_kv == MissingKv::refuse;
    const bool full = naive_.cells_needed(batch, mask) > naive_.free_cells();
    if (refused || full) {
      ++(refused ? counts_.refused : counts_.full);
      RC_ASSERT_THROWS_AS(decoder_.forward(batch, mask), UserError);
      return;
    }
    ++(lacking ? counts_.backfilled : counts_.appended);
    const ForwardResult result = decoder_.forward(batch, mask);
    RC_ASSERT(lacking == (result.backfilled > 0));
    naive_.append(batch, mask);
    int row = 0;
    for (const BatchToken& item : batch) {
      if (!item.want_logits) continue;
      const double distance =
          nmse(result.row(row++, vocabulary_size_), naive_.last_logits(item.sequence));
      RC_ASSERT(distance < (options_.kv_type == KvType::f32 ? 1e-8 : 1e-5));
    }
    RC_ASSERT(result.rows == row);
  }

  void compare_books() {
    for (SequenceId id = 0; id < SEQUENCES; ++id) {
      const NaiveCache::Sequence& entries = naive_.sequence(id);
      RC_ASSERT(decoder_.length(id) == static_cast<int>(entries.size()));
      if (entries.empty()) continue;
      std::vector<Token> tokens;
      for (const NaiveCache::Entry& entry : entries)
        tokens.push_back(entry.token);
      tokens.push_back(5);
      for (const SublayerMask& mask : {entries.front().mask, masks()[0], masks()[3]}) {
        const HeldPrefix held = decoder_.held_prefix(tokens, mask);
        RC_ASSERT(held.length == naive_.held(tokens, mask));
        if (held.length == 0) continue;
        const auto& holder = naive_.sequence(held.sequence);
        RC_ASSERT(static_cast<int>(holder.size()) >= held.length);
        for (std::size_t i = 0; i < static_cast<std::size_t>(held.length); ++i) {
          RC_ASSERT(holder[i].token == tokens[i] && holder[i].mask == mask);
        }
      }
    }
    RC_ASSERT(decoder_.free_cells() == naive_.free_cells());
    const auto living = naive_.living();
    RC_ASSERT(std::find(living.begin(), living.end(), decoder_.unused_sequence()) == living.end());
  }

  DecoderOptions options_;
  Counts& counts_;
  Decoder decoder_;
  NaiveCache naive_;
  int vocabulary_size_;
};

void check_any_steps(const TinyOptions& model, const DecoderOptions& options) {
  const LoadedTiny tiny(model);
  Counts counts;
  const bool holds = rc::check([&] {
    const auto sequence = *rc::gen::resize(30, rc::gen::container<std::vector<Step>>(steps()));
    Pair pair(tiny, options, counts);
    for (const Step& step : sequence)
      pair.run(step);
  });
  EXPECT_TRUE(holds);
  EXPECT_GT(counts.appended, 50);
  if (options.missing_kv == MissingKv::refuse) {
    EXPECT_GT(counts.refused, 20);
  } else {
    EXPECT_GT(counts.backfilled, 20);
    EXPECT_EQ(counts.full > 5, options.context < ROOMY);
  }
}

TEST(KvProperty, AnyStepsGiveTheLogitsOfAFullRunWhenRefusing) {
  check_any_steps({.family = "llama", .layers = PROPERTY_LAYERS}, few_cells(MissingKv::refuse));
}

TEST(KvProperty, AnyStepsGiveTheLogitsOfAFullRunWhenBackfilling) {
  check_any_steps({.family = "llama", .layers = PROPERTY_LAYERS}, few_cells(MissingKv::backfill));
}

TEST(KvProperty, AnyStepsInGraphsOfThreeTokens) {
  DecoderOptions options = few_cells(MissingKv::backfill);
  options.ubatch = 3;
  check_any_steps({.family = "qwen3", .layers = PROPERTY_LAYERS}, options);
}

TEST(KvProperty, AnyStepsWithASlidingWindowAndHalfFloats) {
  DecoderOptions options = few_cells(MissingKv::backfill);
  options.kv_type = KvType::f16;
  check_any_steps({.family = "gemma3", .layers = PROPERTY_LAYERS, .window = 4, .window_pattern = 2},
                  options);
}

// In a cache much larger than a sequence, tokens of several sequences gather their cells.
TEST(KvProperty, AnyStepsInARoomyCache) {
  DecoderOptions options = few_cells(MissingKv::backfill);
  options.context = ROOMY;
  options.flash_attention = FlashAttention::automatic;
  for (const KvType type : {KvType::f32, KvType::f16}) {
    options.kv_type = type;
    check_any_steps(
        {.family = "gemma3", .layers = PROPERTY_LAYERS, .window = 4, .window_pattern = 2}, options);
  }
}

TEST(KvProperty, AnyStepsWithoutFlashAttention) {
  DecoderOptions options = few_cells(MissingKv::backfill);
  options.flash_attention = FlashAttention::off;
  check_any_steps({.family = "olmo2", .layers = PROPERTY_LAYERS}, options);
}

}  // namespace
}  // namespace litestage::test
