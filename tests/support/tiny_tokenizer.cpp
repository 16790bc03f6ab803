#include "support/tiny_tokenizer.h"

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace litestage::test {
namespace {

// Values of the token types in a GGUF file.
enum TokenType : std::int32_t {
  TYPE_NORMAL = 1,
  TYPE_UNKNOWN = 2,
  TYPE_CONTROL = 3,
  TYPE_BYTE = 6
};

struct Vocabulary {
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  std::vector<std::string> merges;

  void add(std::string text, float score, TokenType type) {
    texts.push_back(std::move(text));
    scores.push_back(score);
    types.push_back(type);
  }
};

std::string utf8(int code_point) {
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0 | (code_point >> 6)),
          static_cast<char>(0x80 | (code_point & 0x3F))};
}

// Byte-level BPE writes a byte that is no printable Latin-1 character as the code point 256 + n.
std::array<std::string, 256> byte_texts() {
  std::array<std::string, 256> texts;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    texts.at(static_cast<std::size_t>(byte)) = utf8(printable ? byte : next++);
  }
  return texts;
}

Vocabulary sentencepiece(int size) {
  Vocabulary vocabulary;
  vocabulary.add("<unk>", 0.0F, TYPE_UNKNOWN);
  vocabulary.add("<s>", 0.0F, TYPE_CONTROL);
  vocabulary.add("</s>", 0.0F, TYPE_CONTROL);
  constexpr std::string_view HEX = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    vocabulary.add(std::string("<0x") + HEX[byte >> 4] + HEX[byte & 15] + ">", 0.0F, TYPE_BYTE);
  }
  float score = -1.0F;
  for (const char* piece : {"\u2581", "th", "the", "\u2581the", "in", "er", "an", "\u2581a"}) {
    vocabulary.add(piece, score, TYPE_NORMAL);
    score -= 1.0F;
  }
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    vocabulary.add(std::string(1, letter), score, TYPE_NORMAL);
    score -= 1.0F;
  }
  while (static_cast<int>(vocabulary.texts.size()) < size) {
    vocabulary.add("w" + std::to_string(vocabulary.texts.size()), score, TYPE_NORMAL);
    score -= 1.0F;
  }
  return vocabulary;
}

Vocabulary byte_pairs(int size) {
  Vocabulary vocabulary;
  for (const std::string& text : byte_texts())
    vocabulary.add(text, 0.0F, TYPE_NORMAL);
  // \u0120 stands for the space byte.
  const std::array<std::array<const char*, 2>, 6> merges = {
      {{"t", "h"}, {"th", "e"}, {"\u0120", "the"}, {"i", "n"}, {"e", "r"}, {"\u0120", "a"}}};
  for (const auto& [left, right] : merges) {
    vocabulary.add(std::string(left) + right, 0.0F, TYPE_NORMAL);
    vocabulary.merges.push_back(std::string(left) + " " + right);
  }
  vocabulary.add("<|start|>", 0.0F, TYPE_CONTROL);
  vocabulary.add("<|end|>", 0.0F, TYPE_CONTROL);
  while (static_cast<int>(vocabulary.texts.size()) < size) {
    vocabulary.add("w" + std::to_string(vocabulary.texts.size()), 0.0F, TYPE_NORMAL);
  }
  return vocabulary;
}

std::uint32_t index_of(const Vocabulary& vocabulary, std::string_view text) {
  for (std::uint32_t i = 0; i < vocabulary.texts.size(); ++i) {
    if (vocabulary.texts[i] == text) return i;
  }
  throw std::invalid_argument("no such token: " + std::string(text));
}

void set_strings(gguf_context* keys, const char* key, const std::vector<std::string>& values) {
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values)
    pointers.push_back(value.c_str());
  gguf_set_arr_str(keys, key, pointers.data(), pointers.size());
}

}  // namespace

void add_tokenizer_keys(gguf_context* keys, TinyTokenizer kind, int size) {
  if (size < 300) throw std::invalid_argument("a tiny vocabulary has at least 300 tokens");
  const bool spm = kind == TinyTokenizer::spm;
  const Vocabulary vocabulary = spm ? sentencepiece(size) : byte_pairs(size);
  gguf_set_val_str(keys, "tokenizer.ggml.model", spm ? "llama" : "gpt2");
  if (!spm) {
    gguf_set_val_str(keys, "tokenizer.ggml.pre", "default");
    set_strings(keys, "tokenizer.ggml.merges", vocabulary.merges);
  }
  set_strings(keys, "tokenizer.ggml.tokens", vocabulary.texts);
  gguf_set_arr_data(keys, "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, vocabulary.scores.data(),
                    vocabulary.scores.size());
  gguf_set_arr_data(keys, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, vocabulary.types.data(),
                    vocabulary.types.size());
  gguf_set_val_u32(keys, "tokenizer.ggml.bos_token_id",
                   index_of(vocabulary, spm ? "<s>" : "<|start|>"));
  gguf_set_val_u32(keys, "tokenizer.ggml.eos_token_id",
                   index_of(vocabulary, spm ? "</s>" : "<|end|>"));
  gguf_set_val_bool(keys, "tokenizer.ggml.add_bos_token", spm);
}

}  // namespace litestage::test
