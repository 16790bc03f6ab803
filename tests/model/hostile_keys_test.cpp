// Files whose keys are missing, odd or lies.
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/hostile_gguf.h"

namespace litestage::test {
namespace {

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
      TinyModel model(smallest(edit.family));
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
      TinyModel model(smallest(family));
      edit.apply(model);
      fault(model);
    }
  }
}

}  // namespace
}  // namespace litestage::test
