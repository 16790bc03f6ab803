// Real models: our logits are libllama's, and greedy texts are the same word for word.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <memory>

#include "litestage/decoder.h"
#include "litestage/sampler.h"
#include "model/panel_product.h"
#include "support/libllama_oracle.h"
#include "support/prompts.h"
#include "support/real_models.h"

namespace litestage::test {
namespace {

constexpr double REAL_BOUND = 1e-4;
constexpr float NEAR_TIE = 1e-3F;
constexpr int GREEDY_TOKENS = 64;
constexpr int REAL_CONTEXT = 512;

struct RealModelCase {
  const char* name;
  std::string_view file;
  int at_once = 1;  ///< greedy texts in a batch: the larger models would take minutes one by one
  /// Whether weights may be laid out for this CPU. Where a file has Q5_0 we may hold another type
  /// than libllama, whose products round otherwise: as they lie in the file nothing but the graph
  /// can differ. The same goes for CPUs where our layouts are others than libllama's.
  bool may_repack = true;
  bool repack() const { return may_repack && !cpu_prefers_panels(); }
};

const RealModelCase CASES[] = {
    {"SmolLM2_135M", SMALL_MODEL},
    {"Qwen_0_5B", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 5, false},
    {"Qwen_1_5B", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", 5},
    {"Gemma_270M", "gemma-3-270m-q4_k_m.gguf"},
};

void PrintTo(const RealModelCase& real, std::ostream* out) {
  *out << real.name;
}

class RealModel : public testing::TestWithParam<RealModelCase> {
 protected:
  void SetUp() override {
    const auto file = find_real_model(GetParam().file);
    if (!file) {
      if (GetParam().file == SMALL_MODEL && real_models_are_required()) {
        FAIL() << "the small model is needed here: run `litestage pull smollm2-135m`";
      }
      GTEST_SKIP() << GetParam().file << " is not there";
    }
    file_ = *file;
    ModelOptions options;
    options.repack = GetParam().repack();
    model_ = Model::load(file_, options);
  }

  // One thread each: in thousands of small steps on a busy machine more would mostly wait.
  static OracleOptions oracle_options() {
    return {.context = REAL_CONTEXT, .threads = 1, .repack = GetParam().repack()};
  }

  DecoderOptions options() const {
    DecoderOptions options;
    options.context = REAL_CONTEXT;
    options.threads = 1;
    options.flash_attention = FlashAttention::on;  // as the oracle's, for every batch
    return options;
  }

  std::vector<Token> long_text() const {
    std::string text;
    for (const std::string& prompt : prompts())
      text += prompt + "\n\n";
    return model_->tokenizer().encode(text, true, false);
  }

  std::filesystem::path file_;
  std::shared_ptr<const Model> model_;
};

TEST_P(RealModel, LogitsOfALongText) {
  LibllamaOracle oracle(file_, oracle_options());
  Decoder decoder(model_, options());
  auto tokens = long_text();
  tokens.resize(std::min<std::size_t>(tokens.size(), 160));
  std::vector<BatchToken> batch;
  for (const Token token : tokens)
    batch.push_back({token, 0, true});
  const double prefill = oracle.distance(decoder.forward(batch).logits, tokens);
  EXPECT_LE(prefill, REAL_BOUND);

  // The next tokens one by one, after the same prefix.
  const std::vector<Token> next(tokens.begin(), tokens.begin() + 8);
  std::vector<float> ours;
  for (const Token token : next) {
    const auto result = decoder.forward(0, std::vector<Token>{token});
    ours.insert(ours.end(), result.logits.begin(), result.logits.end());
  }
  const double stepwise = oracle.stepwise_distance(ours, next);
  EXPECT_LE(stepwise, REAL_BOUND);
  std::cout << GetParam().name << ": NMSE of prefill " << prefill << ", token by token " << stepwise
            << "\n";
  RecordProperty("prefill_nmse", std::to_string(prefill));
  RecordProperty("stepwise_nmse", std::to_string(stepwise));
}

float top_two_gap(std::span<const float> logits) {
  std::vector<float> values(logits.begin(), logits.end());
  std::partial_sort(values.begin(), values.begin() + 2, values.end(), std::greater<>());
  return values[0] - values[1];
}

struct GreedyCount {
  int near_ties = 0;
  int other_choices = 0;
};

/// libllama writes after all prompts at once, and the decoder reads what it writes.
void write_both(LibllamaOracle& oracle, Decoder& decoder, std::span<const std::string> begun,
                GreedyCount& count) {
  oracle.clear();
  decoder.clear();
  const int n_vocab = decoder.model().vocabulary_size();
  std::vector<LibllamaOracle::Item> theirs;
  std::vector<BatchToken> ours;
  const auto add = [&](Token token, std::size_t text, bool want_logits) {
    theirs.push_back({token, static_cast<int>(text), want_logits});
    ours.push_back({token, static_cast<SequenceId>(text), want_logits});
  };
  for (std::size_t text = 0; text < begun.size(); ++text) {
    const auto tokens = decoder.model().tokenizer().encode(begun[text], true, false);
    for (std::size_t i = 0; i < tokens.size(); ++i)
      add(tokens[i], text, i + 1 == tokens.size());
  }
  for (int step = 0; step < GREEDY_TOKENS; ++step) {
    const std::vector<float> expected = oracle.decode(theirs);
    const ForwardResult result = decoder.forward(ours);
    theirs.clear();
    ours.clear();
    for (std::size_t text = 0; text < begun.size(); ++text) {
      const auto row = std::span(expected).subspan(text * static_cast<std::size_t>(n_vocab),
                                                   static_cast<std::size_t>(n_vocab));
      const Token choice = argmax(row);
      const float gap = top_two_gap(row);
      if (gap <= NEAR_TIE) ++count.near_ties;
      if (argmax(result.row(static_cast<int>(text), n_vocab)) != choice) {
        ++count.other_choices;
        EXPECT_LE(gap, NEAR_TIE) << "'" << begun[text] << "', token " << step;
      }
      add(choice, text, true);
    }
  }
}

// libllama writes; at each token our choice must be its choice, unless its two best are as good as
// equal. Both without flash attention, so that nothing but the graph can differ.
TEST_P(RealModel, GreedyTextsAreTheSame) {
  OracleOptions plain = oracle_options();
  plain.flash_attention = false;
  LibllamaOracle oracle(file_, plain);
  DecoderOptions ours_plain = options();
  ours_plain.flash_attention = FlashAttention::off;
  Decoder decoder(model_, ours_plain);
  GreedyCount count;
  const std::span<const std::string> all = prompts();
  const auto at_once = static_cast<std::size_t>(GetParam().at_once);
  for (std::size_t begin = 0; begin < all.size(); begin += at_once)
    write_both(oracle, decoder, all.subspan(begin, std::min(at_once, all.size() - begin)), count);
  std::cout << GetParam().name << ": " << prompts().size() << " prompts of " << GREEDY_TOKENS
            << " greedy tokens, " << count.near_ties << " near ties, " << count.other_choices
            << " other choices\n";
  RecordProperty("near_ties", count.near_ties);
  RecordProperty("other_choices", count.other_choices);
}

float largest_difference(std::span<const float> a, std::span<const float> b) {
  float largest = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// As people run it: the decoder takes for each batch the attention kernel that is faster, so it can
// be no nearer to libllama than libllama with the one kernel is to libllama with the other.
TEST_P(RealModel, GreedyTextsWithTheFasterKernels) {
  OracleOptions flash_options = oracle_options();
  flash_options.repack = true;
  OracleOptions plain_options = flash_options;
  plain_options.flash_attention = false;
  LibllamaOracle flash(file_, flash_options);
  LibllamaOracle plain(file_, plain_options);
  DecoderOptions faster = options();
  faster.flash_attention = FlashAttention::automatic;
  Decoder decoder(Model::load(file_), faster);
  int other_choices = 0;
  int tokens_written = 0;
  for (std::size_t prompt = 0; prompt < prompts().size(); prompt += 4) {
    auto tokens = model_->tokenizer().encode(prompts()[prompt], true, false);
    flash.clear();
    plain.clear();
    decoder.clear();
    for (int i = 0; i < GREEDY_TOKENS; ++i, ++tokens_written) {
      const auto theirs = plain.decode(tokens, 0, false);
      const float spread = largest_difference(theirs, flash.decode(tokens, 0, false));
      const auto ours = decoder.forward(0, tokens);
      const Token choice = argmax(theirs);
      if (argmax(ours.logits) != choice) {
        ++other_choices;
        EXPECT_LE(top_two_gap(theirs), NEAR_TIE + 2.0F * spread) << prompts()[prompt] << i;
      }
      tokens = {choice};
    }
  }
  EXPECT_LE(other_choices, tokens_written / 20);
  std::cout << GetParam().name << ": with the faster kernels " << other_choices
            << " other choices of " << tokens_written << "\n";
  RecordProperty("other_choices", other_choices);
}

// Four branches of one prefix in one batch, as the stages use them.
TEST_P(RealModel, BranchesShareAPrefix) {
  LibllamaOracle oracle(file_, oracle_options());
  Decoder decoder(model_, options());
  const auto prefix = model_->tokenizer().encode(prompts()[1], true, false);
  decoder.forward(0, prefix);
  oracle.decode(prefix, 0, false);
  for (SequenceId branch = 1; branch < 4; ++branch) {
    decoder.fork(0, branch);
    oracle.fork(0, branch);
  }
  std::vector<BatchToken> ours;
  std::vector<LibllamaOracle::Item> theirs;
  for (int position = 0; position < 3; ++position) {
    for (SequenceId branch = 0; branch < 4; ++branch) {
      const Token token = 100 + 10 * branch + position;
      ours.push_back({token, branch, true});
      theirs.push_back({token, branch, true});
    }
  }
  EXPECT_LE(oracle.distance(decoder.forward(ours).logits, theirs), REAL_BOUND);
}

// As people run it: weights held in another layout are as near to libllama as its own layouts are
// to each other. Where it has none for a file's types, the yardstick is the other thing it adds in
// another order: attention with and without its flash kernel.
TEST_P(RealModel, LayoutsDifferNoMoreThanLibllamasOwn) {
  OracleOptions as_in_file = oracle_options();
  as_in_file.repack = false;
  OracleOptions laid_out = oracle_options();
  laid_out.repack = true;
  LibllamaOracle oracle(file_, laid_out);
  auto tokens = long_text();
  tokens.resize(std::min<std::size_t>(tokens.size(), 160));
  const std::vector<float> expected = oracle.decode(tokens);
  double between = nmse(LibllamaOracle(file_, as_in_file).decode(tokens), expected);
  if (between == 0) {
    OracleOptions other_attention = laid_out;
    other_attention.flash_attention = !laid_out.flash_attention;
    between = nmse(LibllamaOracle(file_, other_attention).decode(tokens), expected);
  }
  Decoder decoder(Model::load(file_), options());
  std::vector<BatchToken> batch;
  for (const Token token : tokens)
    batch.push_back({token, 0, true});
  const double ours = nmse(decoder.forward(batch).logits, expected);
  EXPECT_LE(ours, REAL_BOUND + 2 * between);
  std::cout << GetParam().name << ": NMSE " << ours << ", allowed are twice " << between << "\n";
}

INSTANTIATE_TEST_SUITE_P(Real, RealModel, testing::ValuesIn(CASES),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace litestage::test
