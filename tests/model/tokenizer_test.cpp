#include "litestage/tokenizer.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "litestage/error.h"
#include "support/libllama_oracle.h"
#include "support/temporary.h"
#include "support/tiny_model.h"

namespace litestage::test {
namespace {

class TokenizerTest : public testing::Test {
 protected:
  Tokenizer open(TinyTokenizer kind, const std::string& chat_template = {}) {
    TinyModel model({.layers = 1, .tokenizer = kind});
    if (!chat_template.empty()) {
      gguf_set_val_str(model.keys(), "tokenizer.chat_template", chat_template.c_str());
    }
    model.write(folder_ / "tiny.gguf");
    return Tokenizer(folder_ / "tiny.gguf");
  }

  TemporaryFolder folder_;
};

std::string utf8(const std::vector<unsigned>& code_points) {
  std::string text;
  for (const unsigned c : code_points) {
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else if (c < 0x800) {
      text += static_cast<char>(0xC0 | (c >> 6));
      text += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      text += static_cast<char>(0xE0 | (c >> 12));
      text += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
      text += static_cast<char>(0x80 | (c & 0x3F));
    } else {
      text += static_cast<char>(0xF0 | (c >> 18));
      text += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
      text += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
      text += static_cast<char>(0x80 | (c & 0x3F));
    }
  }
  return text;
}

std::string any_text() {
  const auto code_point =
      rc::gen::weightedOneOf<unsigned>({{6, rc::gen::inRange(0x20U, 0x7FU)},
                                        {1, rc::gen::element(0x0AU, 0x09U, 0x0DU)},
                                        {2, rc::gen::inRange(0xA0U, 0x2000U)},
                                        {1, rc::gen::inRange(0x1F300U, 0x1F700U)}});
  return utf8(*rc::gen::container<std::vector<unsigned>>(code_point));
}

TEST_F(TokenizerTest, BytePairsGiveTheTextBack) {
  const Tokenizer tokenizer = open(TinyTokenizer::bpe);
  EXPECT_TRUE(rc::check([&] {
    const std::string text = any_text();
    RC_ASSERT(tokenizer.decode(tokenizer.encode(text, false, false)) == text);
  }));
}

TEST_F(TokenizerTest, SentencePieceGivesTheTextBackBehindASpace) {
  const Tokenizer tokenizer = open(TinyTokenizer::spm);
  EXPECT_TRUE(rc::check([&] {
    const std::string text = any_text();
    const std::string decoded = tokenizer.decode(tokenizer.encode(text, false, false));
    RC_ASSERT(decoded == (text.empty() ? "" : " " + text) || decoded == text);
  }));
}

TEST_F(TokenizerTest, DecodingIsAllPiecesInARow) {
  for (const TinyTokenizer kind : {TinyTokenizer::spm, TinyTokenizer::bpe}) {
    const Tokenizer tokenizer = open(kind);
    EXPECT_TRUE(rc::check([&] {
      const auto tokens =
          *rc::gen::container<std::vector<Token>>(rc::gen::inRange(0, tokenizer.size()));
      std::string text;
      for (const Token token : tokens)
        text += tokenizer.piece(token);
      RC_ASSERT(tokenizer.decode(tokens) == text);
    }));
  }
}

TEST_F(TokenizerTest, LongPiecesStandWholeBehindOthers) {
  TinyModel model({.layers = 1, .tokenizer = TinyTokenizer::bpe});
  constexpr const char* KEY = "tokenizer.ggml.tokens";
  const std::int64_t id = gguf_find_key(model.keys(), KEY);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < gguf_get_arr_n(model.keys(), id); ++i)
    texts.emplace_back(gguf_get_arr_str(model.keys(), id, i));
  const std::string piece(300, 'w');
  texts.back() = piece;
  std::vector<const char*> pointers;
  for (const std::string& text : texts)
    pointers.push_back(text.c_str());
  gguf_set_arr_str(model.keys(), KEY, pointers.data(), pointers.size());
  model.write(folder_ / "tiny.gguf");
  const Tokenizer tokenizer(folder_ / "tiny.gguf");
  const Token last = tokenizer.size() - 1;
  EXPECT_EQ(tokenizer.piece(last), piece);
  EXPECT_EQ(tokenizer.decode(std::vector<Token>{last, last}), piece + piece);
}

TEST_F(TokenizerTest, MergesPieces) {
  const Tokenizer tokenizer = open(TinyTokenizer::bpe);
  const auto tokens = tokenizer.encode("the", false, false);
  ASSERT_EQ(tokens.size(), 1U);
  EXPECT_EQ(tokenizer.piece(tokens[0]), "the");
  EXPECT_EQ(tokenizer.size(), 320);
}

TEST_F(TokenizerTest, SpecialTokensOnlyWhenAsked) {
  const Tokenizer tokenizer = open(TinyTokenizer::bpe);
  const auto parsed = tokenizer.encode("a<|end|>", false, true);
  const auto plain = tokenizer.encode("a<|end|>", false, false);
  ASSERT_FALSE(parsed.empty());
  EXPECT_TRUE(tokenizer.is_end_of_generation(parsed.back()));
  EXPECT_TRUE(std::none_of(plain.begin(), plain.end(),
                           [&](Token token) { return tokenizer.is_end_of_generation(token); }));
  EXPECT_EQ(tokenizer.decode(plain), "a<|end|>");
}

TEST_F(TokenizerTest, BeginningOfTextWhereTheModelWantsIt) {
  const Tokenizer spm = open(TinyTokenizer::spm);
  EXPECT_EQ(spm.encode("a", true, false).front(), 1);
  EXPECT_NE(spm.encode("a", false, false).front(), 1);
  const Tokenizer bpe = open(TinyTokenizer::bpe);
  EXPECT_EQ(bpe.encode("a", true, false), bpe.encode("a", false, false));
}

TEST_F(TokenizerTest, LongTextsAndInvalidBytesAreNoTrouble) {
  const Tokenizer tokenizer = open(TinyTokenizer::bpe);
  const std::string text(100000, 'x');
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, false, false)), text);
  EXPECT_NO_THROW(tokenizer.encode("\xff\xfe\x80", false, false));
  EXPECT_NO_THROW(tokenizer.encode(std::string_view("a\0b", 3), false, false));
  EXPECT_TRUE(tokenizer.encode("", false, false).empty());
}

TEST_F(TokenizerTest, ChatTemplate) {
  const std::vector<ChatMessage> messages = {{"system", "Be brief."}, {"user", "Hello"}};
  const Tokenizer bare = open(TinyTokenizer::bpe);
  EXPECT_FALSE(bare.has_chat_template());
  EXPECT_THROW(bare.apply_chat_template(messages, true), UserError);

  const Tokenizer chatml = open(TinyTokenizer::bpe, "<|im_start|>{{ messages }}<|im_end|>");
  ASSERT_TRUE(chatml.has_chat_template());
  const std::string turns =
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n";
  EXPECT_EQ(chatml.apply_chat_template(messages, true), turns + "<|im_start|>assistant\n");
  EXPECT_EQ(chatml.apply_chat_template(messages, false), turns);
  const std::string long_text(50000, 'y');
  EXPECT_NE(chatml.apply_chat_template(std::vector<ChatMessage>{{"user", long_text}}, true)
                .find(long_text),
            std::string::npos);

  const Tokenizer unknown = open(TinyTokenizer::bpe, "{{ nothing libllama knows }}");
  EXPECT_THROW(unknown.apply_chat_template(messages, true), UserError);
}

TEST_F(TokenizerTest, BadFilesAreRefused) {
  EXPECT_THROW(Tokenizer(folder_ / "missing.gguf"), UserError);
  EXPECT_THROW(Tokenizer(folder_.path()), UserError);
  write_bytes(folder_ / "text.gguf", std::vector<std::uint8_t>{'h', 'e', 'l', 'l', 'o'});
  EXPECT_THROW(Tokenizer(folder_ / "text.gguf"), UserError);
}

}  // namespace
}  // namespace litestage::test
