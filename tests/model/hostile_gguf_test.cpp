// Whatever a file holds, loading it works or throws UserError: no crash, no abort, no hang.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

#include "litestage/decoder.h"
#include "litestage/error.h"
#include "support/gguf_fields.h"
#include "support/temporary.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t STRIDE =
    9;  // of the exhaustive loops: the sanitizer makes them ten times as slow
#else
constexpr std::size_t STRIDE = 1;
#endif

TinyOptions small(const std::string& family = "llama") {
  return {.family = family,
          .layers = 1,
          .embd = 32,
          .heads = 2,
          .kv_heads = 1,
          .ffn = 32,
          .vocab = 300,
          .context = 64};
}

class HostileGguf : public testing::Test {
 protected:
  /// Loads, and when that works computes two tokens. @return the error, or nothing when it worked
  std::optional<std::string> fault() {
    try {
      const auto model = Model::load(file());
      DecoderOptions options;
      options.context = 16;
      options.threads = 1;
      Decoder decoder(model, options);
      decoder.forward(0, std::vector<Token>{1, 2});
      return std::nullopt;
    } catch (const UserError& error) {
      return error.what();
    } catch (const std::exception& error) {
      ADD_FAILURE() << "not a UserError: " << error.what();
      return error.what();
    }
  }

  std::optional<std::string> fault(std::span<const std::uint8_t> bytes) {
    write_bytes(file(), bytes);
    return fault();
  }

  std::optional<std::string> fault(const TinyModel& model) { return fault(model.bytes()); }

  /// Must be refused, in one clear sentence that names the file and, if asked, something else.
  void expect_refused(const std::optional<std::string>& message, const std::string& what,
                      const std::string& naming = {}) {
    ASSERT_TRUE(message.has_value()) << what << " was accepted";
    EXPECT_NE(message->find(file().filename().string()), std::string::npos)
        << what << ": " << *message;
    EXPECT_NE(message->find(naming), std::string::npos) << what << ": " << *message;
    EXPECT_EQ(message->find('\n'), std::string::npos) << what << ": " << *message;
    EXPECT_LT(message->size(), 500U) << what << ": " << *message;
  }

  std::filesystem::path file() const { return folder_ / "hostile.gguf"; }

  TemporaryFolder folder_;
};

TEST_F(HostileGguf, TheUntouchedFileWorks) {
  EXPECT_EQ(fault(TinyModel(small())), std::nullopt);
}

TEST_F(HostileGguf, NoGgufAtAll) {
  expect_refused(fault(), "missing");
  expect_refused(fault(std::vector<std::uint8_t>{}), "empty");
  const std::string text(5000, 'a');
  expect_refused(fault(std::vector<std::uint8_t>(text.begin(), text.end())), "text");
  const std::string magic = "GGUF";
  expect_refused(fault(std::vector<std::uint8_t>(magic.begin(), magic.end())), "magic alone");
  std::filesystem::remove(file());
  std::filesystem::create_directory(file());
  expect_refused(fault(), "a folder");
}

TEST_F(HostileGguf, TruncatedAnywhere) {
  const auto bytes = TinyModel(small()).bytes();
  const auto fields = gguf_fields(bytes);
  const std::size_t header = fields.back().at + fields.back().size;
  std::vector<std::size_t> lengths;
  for (std::size_t length = 0; length < header; length += STRIDE)
    lengths.push_back(length);
  for (std::size_t length = header; length + 32 < bytes.size(); length += 97 * STRIDE)
    lengths.push_back(length);
  for (std::size_t cut = 32; cut < 200; ++cut)
    lengths.push_back(bytes.size() - cut);
  for (const std::size_t length : lengths) {
    expect_refused(fault(std::span(bytes).first(length)), "cut after " + std::to_string(length));
    if (HasFatalFailure()) return;
  }
}

TEST_F(HostileGguf, EveryByteOfTheHeaderWithABitFlipped) {
  const auto original = TinyModel(small()).bytes();
  const auto fields = gguf_fields(original);
  const std::size_t header = fields.back().at + fields.back().size;
  std::size_t worked = 0;
  for (std::size_t at = 0; at < header; at += STRIDE) {
    auto bytes = original;
    bytes[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    if (!fault(bytes)) ++worked;
  }
  EXPECT_LT(worked, header / STRIDE);
}

// Everything but the vocabulary's texts, all eight bits of each byte.
TEST_F(HostileGguf, EveryBitOfNumbersAndNames) {
  const auto original = TinyModel(small()).bytes();
  for (const GgufField& field : gguf_fields(original)) {
    if (field.what.ends_with(": element") || field.what.find(": element: ") != std::string::npos)
      continue;
    for (std::size_t bit = 0; bit < 8 * field.size; bit += STRIDE) {
      auto bytes = original;
      bytes[field.at + bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      fault(bytes);
    }
  }
}

TEST_F(HostileGguf, EveryFieldWithExtremeValues) {
  const std::uint64_t extremes[] = {0,
                                    1,
                                    3,
                                    0x7F,
                                    0x8000,
                                    0x7FC00000,  // a NaN
                                    0x7FFFFFFF,
                                    0x80000000,
                                    0xFFFFFFFF,
                                    std::uint64_t{1} << 40,
                                    std::uint64_t{1} << 60,
                                    (std::uint64_t{1} << 61) + 1,
                                    std::uint64_t{1} << 63,
                                    ~std::uint64_t{0} - 31,
                                    ~std::uint64_t{0}};
  for (const std::string family : {"llama", "gemma3", "phi3", "granite"}) {
    const auto original = TinyModel(small(family)).bytes();
    std::size_t elements = 0;
    for (const GgufField& field : gguf_fields(original)) {
      if (field.kind == GgufField::Kind::text) continue;
      // The elements of arrays are alike, and so are the vocabularies of the families.
      const bool element =
          field.what.find(": element") != std::string::npos && field.kind != GgufField::Kind::type;
      if (element && (family != "llama" || ++elements % 25 != 0)) continue;
      for (const std::uint64_t value : extremes) {
        auto bytes = original;
        std::memcpy(bytes.data() + field.at, &value,
                    std::min<std::size_t>(field.size, sizeof value));
        fault(bytes);
      }
    }
  }
}

// Two fields that only together make sense of a lie: sizes whose product overflows.
TEST_F(HostileGguf, DimensionsThatOverflowTogether) {
  const auto original = TinyModel(small()).bytes();
  const auto fields = gguf_fields(original);
  for (const std::uint64_t size :
       {std::uint64_t{1} << 31, std::uint64_t{1} << 32, std::uint64_t{3} << 31,
        (std::uint64_t{1} << 32) + 32, std::uint64_t{1} << 62}) {
    for (std::size_t i = 0; i + 1 < fields.size(); ++i) {
      if (fields[i].kind != GgufField::Kind::dimension ||
          fields[i + 1].kind != GgufField::Kind::dimension)
        continue;
      auto bytes = original;
      std::memcpy(bytes.data() + fields[i].at, &size, 8);
      std::memcpy(bytes.data() + fields[i + 1].at, &size, 8);
      expect_refused(fault(bytes), fields[i].what);
    }
  }
}

struct Edit {
  std::string what;
  std::function<void(TinyModel&)> apply;
  std::string naming;  // what the error must name
  std::string family = "llama";
};

void set_u32(TinyModel& model, std::string_view suffix, std::uint32_t value) {
  gguf_set_val_u32(model.keys(), model.key(suffix).c_str(), value);
}

void set_f32(TinyModel& model, std::string_view suffix, float value) {
  gguf_set_val_f32(model.keys(), model.key(suffix).c_str(), value);
}

Edit number(const std::string& suffix, std::uint32_t value, const std::string& naming = {}) {
  return {suffix + " = " + std::to_string(value), [=](TinyModel& m) { set_u32(m, suffix, value); },
          naming};
}

Edit real(const std::string& suffix, float value, const std::string& naming = {}) {
  return {suffix + " = " + std::to_string(value), [=](TinyModel& m) { set_f32(m, suffix, value); },
          naming};
}

Edit removed(const std::string& suffix) {
  return {"no " + suffix, [=](TinyModel& m) { gguf_remove_key(m.keys(), m.key(suffix).c_str()); },
          suffix};
}

Edit as_text(const std::string& suffix) {
  return {suffix + " as text",
          [=](TinyModel& m) { gguf_set_val_str(m.keys(), m.key(suffix).c_str(), "many"); }, suffix};
}

std::vector<Edit> bad_hyperparameters() {
  constexpr float NOT_A_NUMBER = std::numeric_limits<float>::quiet_NaN();
  std::vector<Edit> edits = {
      number("block_count", 0, "block_count"),
      number("block_count", 2),
      number("block_count", 513),
      number("block_count", 0xFFFFFFFF),
      number("embedding_length", 0, "embedding_length"),
      number("embedding_length", 33),
      number("embedding_length", 64),
      number("embedding_length", 0xFFFFFFFF),
      number("feed_forward_length", 0),
      number("feed_forward_length", 64),
      number("attention.head_count", 0, "head_count"),
      number("attention.head_count", 3),
      number("attention.head_count", 64),
      number("attention.head_count", 0xFFFFFFFF),
      number("attention.head_count_kv", 0, "head_count_kv"),
      number("attention.head_count_kv", 3),
      number("context_length", 0, "context_length"),
      number("rope.dimension_count", 15),
      number("rope.dimension_count", 64),
      number("rope.dimension_count", 0xFFFFFFFF),
      real("attention.layer_norm_rms_epsilon", NOT_A_NUMBER, "epsilon"),
      real("attention.layer_norm_rms_epsilon", -1.0F, "epsilon"),
      real("rope.freq_base", NOT_A_NUMBER, "freq_base"),
      real("rope.scaling.factor", NOT_A_NUMBER, "factor"),
  };
  for (const char* key :
       {"block_count", "embedding_length", "feed_forward_length", "attention.head_count",
        "attention.layer_norm_rms_epsilon", "context_length"}) {
    edits.push_back(removed(key));
    edits.push_back(as_text(key));
  }
  edits.push_back(
      {"rope.scaling.type = odd",
       [](TinyModel& m) { gguf_set_val_str(m.keys(), m.key("rope.scaling.type").c_str(), "odd"); },
       "odd"});
  return edits;
}

std::vector<Edit> bad_general_keys() {
  return {
      {"no architecture", [](TinyModel& m) { gguf_remove_key(m.keys(), "general.architecture"); },
       "general.architecture"},
      {"architecture as a number",
       [](TinyModel& m) { gguf_set_val_u32(m.keys(), "general.architecture", 3); },
       "general.architecture"},
      {"an architecture we lack",
       [](TinyModel& m) { gguf_set_val_str(m.keys(), "general.architecture", "mamba"); }, "mamba"},
      {"the supported ones named",
       [](TinyModel& m) { gguf_set_val_str(m.keys(), "general.architecture", "mamba"); }, "qwen2"},
      {"an architecture of strange bytes",
       [](TinyModel& m) { gguf_set_val_str(m.keys(), "general.architecture", "%s%n\x01"); }, ""},
      {"split in two", [](TinyModel& m) { gguf_set_val_u16(m.keys(), "split.count", 2); }, "split"},
  };
}

std::vector<Edit> bad_vocabularies() {
  const auto tokens = [](TinyModel& m, std::vector<std::string> texts) {
    std::vector<const char*> pointers;
    for (const std::string& text : texts)
      pointers.push_back(text.c_str());
    gguf_set_arr_str(m.keys(), "tokenizer.ggml.tokens", pointers.data(), pointers.size());
  };
  return {
      {"no tokens", [](TinyModel& m) { gguf_remove_key(m.keys(), "tokenizer.ggml.tokens"); }, ""},
      {"no tokens in the list", [=](TinyModel& m) { tokens(m, {}); }, ""},
      {"fewer tokens than rows",
       [=](TinyModel& m) {
         tokens(m, {"<unk>", "<s>", "</s>", "a"});
       },
       ""},
      {"all tokens the same", [=](TinyModel& m) { tokens(m, std::vector<std::string>(300, "a")); },
       ""},
      {"tokens as numbers",
       [](TinyModel& m) {
         const std::vector<std::uint32_t> numbers(300, 1);
         gguf_set_arr_data(m.keys(), "tokenizer.ggml.tokens", GGUF_TYPE_UINT32, numbers.data(),
                           numbers.size());
       },
       ""},
      {"tokens as one text",
       [](TinyModel& m) { gguf_set_val_str(m.keys(), "tokenizer.ggml.tokens", "a"); }, ""},
      {"few scores",
       [](TinyModel& m) {
         const float score = 0.0F;
         gguf_set_arr_data(m.keys(), "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, &score, 1);
       },
       ""},
      {"few token types",
       [](TinyModel& m) {
         const std::int32_t type = 1;
         gguf_set_arr_data(m.keys(), "tokenizer.ggml.token_type", GGUF_TYPE_INT32, &type, 1);
       },
       ""},
      {"scores as texts",
       [](TinyModel& m) {
         std::vector<const char*> texts(300, "a");
         gguf_set_arr_str(m.keys(), "tokenizer.ggml.scores", texts.data(), texts.size());
       },
       ""},
      {"no tokenizer", [](TinyModel& m) { gguf_remove_key(m.keys(), "tokenizer.ggml.model"); }, ""},
      {"an unknown tokenizer",
       [](TinyModel& m) { gguf_set_val_str(m.keys(), "tokenizer.ggml.model", "odd"); }, ""},
      {"tokenizer as a number",
       [](TinyModel& m) { gguf_set_val_u32(m.keys(), "tokenizer.ggml.model", 1); }, ""},
      {"byte pairs without merges",
       [](TinyModel& m) { gguf_set_val_str(m.keys(), "tokenizer.ggml.model", "gpt2"); }, ""},
  };
}

TEST_F(HostileGguf, BadKeysAreRefused) {
  for (const auto& edits : {bad_general_keys(), bad_hyperparameters(), bad_vocabularies()}) {
    for (const Edit& edit : edits) {
      TinyModel model(small(edit.family));
      edit.apply(model);
      expect_refused(fault(model), edit.what, edit.naming);
    }
  }
}

// Keys that may be odd without harm: it is enough that nothing breaks.
TEST_F(HostileGguf, OddKeysDoNoHarm) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<Edit> edits = {
      real("attention.layer_norm_rms_epsilon", infinity),
      real("attention.layer_norm_rms_epsilon", 0.0F),
      real("rope.freq_base", 0.0F),
      real("rope.freq_base", -1.0F),
      real("rope.scaling.factor", 0.0F),
      real("rope.scaling.factor", -4.0F),
      number("rope.dimension_count", 0),
      number("rope.scaling.original_context_length", 0),
      number("context_length", 0xFFFFFFFF),
      number("attention.sliding_window", 0xFFFFFFFF),
      number("attention.key_length", 0),
      number("attention.key_length", 0xFFFFFFFF),
      number("attention.value_length", 7),
      number("vocab_size", 7),
      number("expert_count", 4),
      {"beginning of text out of range",
       [](TinyModel& m) { gguf_set_val_u32(m.keys(), "tokenizer.ggml.bos_token_id", 0x7FFFFFFF); },
       ""},
      {"a chat template as a number",
       [](TinyModel& m) { gguf_set_val_u32(m.keys(), "tokenizer.chat_template", 1); }, ""},
      {"a name as a number", [](TinyModel& m) { gguf_set_val_u32(m.keys(), "general.name", 1); },
       ""},
      {"split count as text",
       [](TinyModel& m) { gguf_set_val_str(m.keys(), "split.count", "two"); }, ""},
      {"split in one", [](TinyModel& m) { gguf_set_val_u16(m.keys(), "split.count", 1); }, ""},
  };
  for (const Edit& edit : edits) {
    for (const std::string family : {"llama", "gemma3", "phi3", "olmo2"}) {
      SCOPED_TRACE(edit.what + ", " + family);
      TinyModel model(small(family));
      edit.apply(model);
      fault(model);
    }
  }
}

TEST_F(HostileGguf, EveryTensorIsMissed) {
  for (const TinyCase& tiny : plain_cases()) {
    const TinyModel whole(tiny.options);
    for (const TinyModel::Tensor& tensor : whole.tensors()) {
      // Without a head the embedding is the head; without fused projections split ones are asked
      // for.
      const bool fused = tensor.name.ends_with("attn_qkv.weight");
      const bool optional = tensor.name == "output.weight" || tensor.name.ends_with("bias");
      const std::string naming = fused ? "attn_q.weight" : tensor.name;
      TinyModel model(tiny.options);
      model.drop(tensor.name);
      const auto message = fault(model);
      if (!optional) expect_refused(message, tiny.name + " without " + tensor.name, naming);
      TinyModel renamed(tiny.options);
      renamed.rename(tensor.name, "strange." + tensor.name);
      expect_refused(fault(renamed), tiny.name + " with a strange " + tensor.name, naming);
    }
  }
}

TEST_F(HostileGguf, EveryTensorOfAnotherShapeOrTypeIsRefused) {
  for (const TinyCase& tiny : plain_cases()) {
    const TinyModel whole(tiny.options);
    for (const TinyModel::Tensor& tensor : whole.tensors()) {
      for (const std::int64_t growth : {-1, 1, 32}) {
        TinyModel model(tiny.options);
        auto shape = tensor.shape;
        shape.back() += growth;
        model.reshape(tensor.name, shape);
        expect_refused(fault(model), tiny.name + ": " + tensor.name + " of another shape");
      }
      TinyModel deep(tiny.options);
      auto shape = tensor.shape;
      shape.resize(3, 1);
      shape.push_back(2);
      deep.reshape(tensor.name, shape);
      expect_refused(fault(deep), tiny.name + ": " + tensor.name + " of four dimensions");

      TinyModel integers(tiny.options);
      integers.tensor(tensor.name).type = GGML_TYPE_I32;
      expect_refused(fault(integers), tiny.name + ": " + tensor.name + " of integers");
    }
  }
}

TEST_F(HostileGguf, ATensorWeDoNotKnowIsNamed) {
  TinyModel model(small());
  model.add_zeros("blk.0.attn_gate.weight", {32, 32});
  expect_refused(fault(model), "an unknown tensor", "blk.0.attn_gate.weight");
}

TEST_F(HostileGguf, AVocabularyOnlyFileIsRefused) {
  const TinyModel whole(small());
  TinyModel model(small());
  for (const TinyModel::Tensor& tensor : whole.tensors())
    model.drop(tensor.name);
  expect_refused(fault(model), "no tensors");
}

TEST_F(HostileGguf, WeightsThatAreNotNumbers) {
  TinyModel model(small());
  model.multiply("blk.0.ffn_up.weight", std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(fault(model), std::nullopt);
  ModelOptions options;
  options.check_tensors = true;
  try {
    Model::load(file(), options);
    FAIL() << "NaN weights were accepted";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("blk.0.ffn_up.weight"), std::string::npos)
        << error.what();
  }
  TinyModel(small()).write(file());
  EXPECT_NO_THROW(Model::load(file(), options));
}

TEST_F(HostileGguf, LoadingTellsItsProgressAndCanBeStopped) {
  TinyModel(small()).write(file());
  std::vector<float> told;
  ModelOptions options;
  options.progress = [&](float part) {
    told.push_back(part);
    return true;
  };
  Model::load(file(), options);
  ASSERT_FALSE(told.empty());
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_GE(told.front(), 0.0F);
  EXPECT_FLOAT_EQ(told.back(), 1.0F);
  options.progress = [](float) { return false; };
  EXPECT_THROW(Model::load(file(), options), UserError);
}

}  // namespace
}  // namespace litestage::test
