// The KV cache against a naive model of it: whatever is appended, forked, cut and removed, under
// whatever masks, the logits are those of a full run from nothing.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>

#include "litestage/error.h"
#include "support/decoder_tools.h"
#include "support/libllama_oracle.h"
#include "support/naive_cache.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

constexpr int LAYERS = 3;
constexpr int SEQUENCES = 5;
constexpr int CELLS = 48;  // few, so that the cache is often full

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
      masks.push_back(SublayerMask::parse(text, LAYERS));
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
        naive_(tiny.model(), options),
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
      RC_ASSERT(distance < (options_.kv_type == KvType::f32 ? 1e-9 : 1e-5));
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

DecoderOptions property_options(MissingKv missing_kv) {
  DecoderOptions options;
  options.context = CELLS;
  options.threads = 1;
  options.missing_kv = missing_kv;
  options.kv_type = KvType::f32;
  options.flash_attention = FlashAttention::on;
  return options;
}

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
    EXPECT_GT(counts.full, 5);
  }
}

TEST(KvProperty, AnyStepsGiveTheLogitsOfAFullRunWhenRefusing) {
  check_any_steps({.family = "llama", .layers = LAYERS}, property_options(MissingKv::refuse));
}

TEST(KvProperty, AnyStepsGiveTheLogitsOfAFullRunWhenBackfilling) {
  check_any_steps({.family = "llama", .layers = LAYERS}, property_options(MissingKv::backfill));
}

TEST(KvProperty, AnyStepsInGraphsOfThreeTokens) {
  DecoderOptions options = property_options(MissingKv::backfill);
  options.ubatch = 3;
  check_any_steps({.family = "qwen3", .layers = LAYERS}, options);
}

TEST(KvProperty, AnyStepsWithASlidingWindowAndHalfFloats) {
  DecoderOptions options = property_options(MissingKv::backfill);
  options.kv_type = KvType::f16;
  check_any_steps({.family = "gemma3", .layers = LAYERS, .window = 4, .window_pattern = 2},
                  options);
}

TEST(KvProperty, AnyStepsWithoutFlashAttention) {
  DecoderOptions options = property_options(MissingKv::backfill);
  options.flash_attention = FlashAttention::off;
  check_any_steps({.family = "olmo2", .layers = LAYERS}, options);
}

const std::vector<Token> PREFIX = {10, 20, 30, 40, 50};
const std::vector<Token> REST = {60, 70, 80};

SublayerMask mask_of(const std::string& text) {
  return SublayerMask::parse(text, LAYERS);
}

TEST(Kv, RefusalNamesTheLayerAndLeavesTheCacheAlone) {
  const LoadedTiny tiny({.layers = LAYERS});
  Decoder decoder(tiny.model(), property_options(MissingKv::refuse));
  decoder.forward(0, PREFIX, mask_of("a1"));
  const int free = decoder.free_cells();
  try {
    decoder.forward(0, REST);
    FAIL() << "KV is missing";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find('1'), std::string::npos) << error.what();
  }
  EXPECT_EQ(decoder.length(0), 5);
  EXPECT_EQ(decoder.free_cells(), free);
  EXPECT_NO_THROW(decoder.forward(0, REST, mask_of("a1,f0")));
}

// Of a batch in which one sequence is refused, the others are not appended either.
TEST(Kv, RefusalIsForTheWholeBatch) {
  const LoadedTiny tiny({.layers = LAYERS});
  Decoder decoder(tiny.model(), property_options(MissingKv::refuse));
  decoder.forward(0, PREFIX, mask_of("a1"));
  const std::vector<BatchToken> batch = {{7, 1, true}, {7, 0, true}};
  EXPECT_THROW(decoder.forward(batch), UserError);
  EXPECT_EQ(decoder.length(1), 0);
  EXPECT_EQ(decoder.length(0), 5);
}

TEST(Kv, BackfillStartsAtTheFirstLackingToken) {
  const LoadedTiny tiny({.layers = LAYERS});
  Decoder decoder(tiny.model(), property_options(MissingKv::backfill));
  decoder.forward(0, PREFIX);
  decoder.forward(0, REST, mask_of("a1"));
  decoder.forward(0, REST);  // the lacking three are computed again
  EXPECT_EQ(decoder.length(0), 11);
  std::vector<Token> all = PREFIX;
  all.insert(all.end(), REST.begin(), REST.end());
  all.insert(all.end(), REST.begin(), REST.end());
  EXPECT_EQ(decoder.held_prefix(all, mask_of("none")).length, 11);

  Decoder again(tiny.model(), property_options(MissingKv::backfill));
  again.forward(0, PREFIX);
  again.forward(0, REST, mask_of("a1"));
  EXPECT_EQ(again.forward(0, REST).backfilled, 3);
  Decoder fresh(tiny.model(), property_options(MissingKv::refuse));
  const auto expected = fresh.forward(0, all);
  const auto actual = again.forward(0, std::vector<Token>{9});
  const auto next = fresh.forward(0, std::vector<Token>{9});
  EXPECT_LE(nmse(actual.logits, next.logits), 1e-9);
  EXPECT_EQ(expected.backfilled, 0);
}

// Where all attention left in was left out of the prefix, tolerating is not seeing the prefix at
// all; as positions only matter relatively, that is a run of the rest alone.
TEST(Kv, TolerateSeesOnlyWhatIsThere) {
  const LoadedTiny tiny({.layers = LAYERS});
  Decoder decoder(tiny.model(), property_options(MissingKv::tolerate));
  decoder.forward(0, PREFIX, mask_of("a0-2"));
  const auto actual = all_logits(decoder, REST, mask_of("a0,a2"));
  Decoder fresh(tiny.model(), property_options(MissingKv::refuse));
  EXPECT_LE(nmse(actual, all_logits(fresh, REST, mask_of("a0,a2"))), 1e-7);
  EXPECT_EQ(decoder.length(0), 8);
  // And where nothing is lacking, tolerating changes nothing.
  Decoder plain(tiny.model(), property_options(MissingKv::tolerate));
  plain.forward(0, PREFIX);
  const auto seen = all_logits(plain, REST);
  fresh.clear();
  fresh.forward(0, PREFIX);
  EXPECT_LE(nmse(seen, all_logits(fresh, REST)), 1e-12);
  EXPECT_GT(nmse(actual, seen), 1e-3);
}

// One layer differs: the last. A single new token then attends, there, to itself alone, whatever
// its query is; so its attention output is its own value, projected. That is computed here by hand.
TEST(Kv, TolerateWithOneLayerLacking) {
  const TinyOptions options{.layers = 2};
  TinyModel file(options);
  const LoadedTiny tiny(file);
  Decoder decoder(tiny.model(), property_options(MissingKv::tolerate));
  decoder.forward(0, PREFIX, SublayerMask::parse("a1", 2));
  const std::vector<Tap> taps = {{TapPoint::layer_in, 1}, {TapPoint::attn_out, 1}};
  const std::vector<Token> one = {60};
  const auto result = decoder.forward(batch_of(one), {}, taps);

  const auto width = static_cast<std::size_t>(options.embd);
  const auto in = result.taps[0];
  double squares = 0.0;
  for (const float value : in)
    squares += static_cast<double>(value) * value;
  const double norm = 1.0 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
  const auto norm_weight = file.floats("blk.1.attn_norm.weight");
  std::vector<double> normed;
  for (std::size_t i = 0; i < width; ++i)
    normed.push_back(in[i] * norm * norm_weight[i]);
  const auto multiply = [](const std::vector<float>& matrix, const std::vector<double>& vector) {
    std::vector<double> product(matrix.size() / vector.size());
    for (std::size_t row = 0; row < product.size(); ++row) {
      for (std::size_t i = 0; i < vector.size(); ++i)
        product[row] += matrix[row * vector.size() + i] * vector[i];
    }
    return product;
  };
  const auto value = multiply(file.floats("blk.1.attn_v.weight"), normed);
  const auto head_size = static_cast<std::size_t>(options.embd / options.heads);
  std::vector<double> heads;  // each KV head serves heads / kv_heads query heads
  for (std::size_t head = 0; head < static_cast<std::size_t>(options.heads); ++head) {
    const std::size_t kv_head =
        head * static_cast<std::size_t>(options.kv_heads) / static_cast<std::size_t>(options.heads);
    for (std::size_t i = 0; i < head_size; ++i)
      heads.push_back(value[kv_head * head_size + i]);
  }
  const auto projected = multiply(file.floats("blk.1.attn_output.weight"), heads);
  std::vector<float> expected;
  for (std::size_t i = 0; i < width; ++i)
    expected.push_back(static_cast<float>(in[i] + projected[i]));
  EXPECT_LE(nmse(result.taps[1], expected), 1e-9);
}

TEST(Kv, AFullContextIsRefusedAndNothingChanges) {
  const LoadedTiny tiny({.layers = LAYERS});
  DecoderOptions options = property_options(MissingKv::refuse);
  options.ubatch = 8;  // so that some graphs would fit
  Decoder decoder(tiny.model(), options);
  const auto tokens = random_tokens(40, tiny.vocabulary_size(), 31);
  decoder.forward(0, tokens);
  const int free = decoder.free_cells();
  EXPECT_THROW(decoder.forward(1, tokens), UserError);
  EXPECT_EQ(decoder.length(0), 40);
  EXPECT_EQ(decoder.length(1), 0);
  EXPECT_EQ(decoder.free_cells(), free);
  Decoder fresh(tiny.model(), options);
  fresh.forward(0, tokens);
  EXPECT_LE(nmse(all_logits(decoder, REST), all_logits(fresh, REST)), 1e-9);
}

TEST(Kv, CellsAreSharedByForksAndUsedAgain) {
  const LoadedTiny tiny({.layers = LAYERS});
  Decoder decoder(tiny.model(), property_options(MissingKv::refuse));
  const int all = decoder.free_cells();
  EXPECT_EQ(all, CELLS);
  decoder.forward(0, PREFIX);
  const std::size_t bytes = decoder.kv_bytes();
  for (SequenceId branch = 1; branch < 8; ++branch)
    decoder.fork(0, branch);
  EXPECT_EQ(decoder.free_cells(), all - 5);
  decoder.remove(0);
  EXPECT_EQ(decoder.free_cells(), all - 5) << "the branches still need them";
  for (SequenceId branch = 1; branch < 8; ++branch)
    decoder.remove(branch);
  EXPECT_EQ(decoder.free_cells(), all);
  for (int round = 0; round < 10; ++round) {
    decoder.forward(round, random_tokens(30, tiny.vocabulary_size(), 32));
    decoder.remove(round);
  }
  EXPECT_EQ(decoder.free_cells(), all);
  EXPECT_EQ(decoder.kv_bytes(), bytes);
}

TEST(Kv, AnInterruptLeavesTheCacheAsItWas) {
  const LoadedTiny tiny({.layers = LAYERS});
  DecoderOptions options = property_options(MissingKv::refuse);
  options.ubatch = 4;
  Decoder decoder(tiny.model(), options);
  decoder.forward(0, PREFIX);
  const int free = decoder.free_cells();
  int calls = 0;
  decoder.set_interrupt([&] { return ++calls > 2; });
  const auto stopped = decoder.forward(0, random_tokens(30, tiny.vocabulary_size(), 33));
  EXPECT_TRUE(stopped.interrupted);
  EXPECT_EQ(stopped.rows, 0);
  EXPECT_EQ(decoder.length(0), 5);
  EXPECT_EQ(decoder.free_cells(), free);
  decoder.set_interrupt({});
  Decoder fresh(tiny.model(), options);
  fresh.forward(0, PREFIX);
  EXPECT_LE(nmse(all_logits(decoder, REST), all_logits(fresh, REST)), 1e-9);
}

TEST(Kv, UnknownSequencesAreEmpty) {
  const LoadedTiny tiny({.layers = LAYERS});
  Decoder decoder(tiny.model(), property_options(MissingKv::refuse));
  EXPECT_EQ(decoder.length(77), 0);
  EXPECT_NO_THROW(decoder.remove(77));
  EXPECT_EQ(decoder.held_prefix(PREFIX, {}).length, 0);
  EXPECT_EQ(decoder.held_prefix(PREFIX, {}).sequence, -1);
}

TEST(Kv, AContextLargerThanTheModelsIsRefused) {
  const LoadedTiny tiny({.layers = LAYERS, .context = 128});
  DecoderOptions options;
  options.context = 129;
  EXPECT_THROW(Decoder(tiny.model(), options), UserError);
}

TEST(Kv, TokensOutsideTheVocabularyAreRefused) {
  const LoadedTiny tiny({.layers = LAYERS});
  Decoder decoder(tiny.model(), property_options(MissingKv::refuse));
  for (const Token bad : {-1, tiny.vocabulary_size(), 1 << 30}) {
    EXPECT_THROW(decoder.forward(0, std::vector<Token>{3, bad}), UserError) << bad;
    EXPECT_EQ(decoder.length(0), 0);
  }
}

}  // namespace
}  // namespace litestage::test
