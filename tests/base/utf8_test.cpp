#include "base/utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace litestage {
namespace {

/// Reads one character by the definition: decode, encode again the shortest way, compare.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80             ? 1
                             : (byte(0) & 0xE0) == 0xC0 ? 2
                             : (byte(0) & 0xF0) == 0xE0 ? 3
                             : (byte(0) & 0xF8) == 0xF0 ? 4
                                                        : 0;
  if (length == 0 || length > text.size()) return 0;
  std::uint32_t code = length == 1 ? byte(0) : byte(0) & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3FU);
  }
  const std::size_t shortest = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  const bool is_scalar = code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
  return length == shortest && is_scalar ? length : 0;
}

std::optional<std::size_t> reference(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

TEST(Utf8, TakesWhatIsValid) {
  for (const char* text :
       {"", "plain", "\u00E4\u20AC", "\U0001F600", "\u07FF\u0800\uFFFF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(invalid_utf8_at(text), std::nullopt) << text;
  }
}

TEST(Utf8, NamesTheFirstBadByte) {
  const std::vector<std::pair<std::string, std::size_t>> cases = {{"ab\xFF", 2},
                                                                  {"\x80", 0},
                                                                  {"a\xC3", 1},
                                                                  {"\xC0\xAF", 0},
                                                                  {"\xE0\x80\xAF", 0},
                                                                  {"x\xED\xA0\x80", 1},
                                                                  {"\xF4\x90\x80\x80", 0},
                                                                  {"\xF0\x8F\xBF\xBF", 0},
                                                                  {"\xE2\x82", 0},
                                                                  {"\xE2\x82z", 0},
                                                                  {"\xF5\x80\x80\x80", 0}};
  for (const auto& [text, at] : cases)
    EXPECT_EQ(invalid_utf8_at(text), at) << text;
}

RC_GTEST_PROP(Utf8, AgreesWithTheDefinition, ()) {
  // Bytes around the borders of what UTF-8 allows are far likelier than in uniform bytes.
  const auto byte = rc::gen::weightedOneOf<int>(
      {{2, rc::gen::inRange(0, 256)},
       {3, rc::gen::inRange(0x80, 0xC0)},
       {3, rc::gen::element(0x7F, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF4, 0xF5)}});
  std::string text;
  for (const int value : *rc::gen::container<std::vector<int>>(byte)) {
    text += static_cast<char>(value);
  }
  RC_ASSERT(invalid_utf8_at(text) == reference(text));
}

TEST(Utf8, WidthIsThatOfATerminal) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("plain"), 5U);
  EXPECT_EQ(display_width("\u00E4\u20AC\u2713"), 3U) << "one column each, two and three bytes";
  EXPECT_EQ(display_width("e\u0301"), 1U) << "the accent stands on the e";
  EXPECT_EQ(display_width("\u6F22\u5B57"), 4U);
  EXPECT_EQ(display_width("\U0001F600!"), 3U);
  EXPECT_EQ(display_width("\u26A1\u2728"), 4U);
  EXPECT_EQ(display_width("\u0E01\u0E34"), 1U) << "a vowel above its consonant";
  EXPECT_EQ(display_width("a\xFFz"), 3U) << "a byte that is no character is shown as one";
}

TEST(Utf8, CutsBetweenCharacters) {
  const std::string text = "a\u00E4\u6F22e\u0301z";  // 1 + 1 + 2 + 1 + 1 columns
  EXPECT_EQ(first_columns(text, 0), "");
  EXPECT_EQ(first_columns(text, 2), "a\u00E4");
  EXPECT_EQ(first_columns(text, 3), "a\u00E4") << "half of a wide character is none";
  EXPECT_EQ(first_columns(text, 4), "a\u00E4\u6F22");
  EXPECT_EQ(first_columns(text, 5), "a\u00E4\u6F22e\u0301") << "the accent costs nothing";
  EXPECT_EQ(first_columns(text, 99), text);
  EXPECT_EQ(last_columns(text, 0), "");
  EXPECT_EQ(last_columns(text, 1), "z");
  EXPECT_EQ(last_columns(text, 2), "e\u0301z");
  EXPECT_EQ(last_columns(text, 3), "e\u0301z");
  EXPECT_EQ(last_columns(text, 4), "\u6F22e\u0301z");
  EXPECT_EQ(last_columns(text, 99), text);
}

}  // namespace
}  // namespace litestage
