// What is shown of a text while it is written: whole characters, and nothing of a stop string.
#include "stage/text_stream.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/utf8.h"

namespace litestage {
namespace {

TEST(TextStream, HoldsACharacterBackUntilItIsWhole) {
  TextStream stream({});
  EXPECT_EQ(stream.add("a\xC3"), "a");
  EXPECT_EQ(stream.add("\xA9!"), "\xC3\xA9!");
  EXPECT_EQ(stream.add("\xF0\x9F\x98"), "");
  EXPECT_EQ(stream.add("\x80"), "\xF0\x9F\x98\x80");
}

TEST(TextStream, EndsBeforeAStopStringThatComesInPieces) {
  TextStream stream({"\nQuestion:"});
  EXPECT_EQ(stream.add("yes\nQu"), "yes");
  EXPECT_FALSE(stream.stopped());
  EXPECT_EQ(stream.add("estion: next"), "");
  EXPECT_TRUE(stream.stopped());
  EXPECT_EQ(stream.text(), "yes");
}

TEST(TextStream, GivesOutWhatOnlyLookedLikeAStopString) {
  TextStream stream({"###"});
  EXPECT_EQ(stream.add("a##"), "a");
  EXPECT_EQ(stream.add("b"), "##b");
  EXPECT_EQ(stream.add("c#"), "c");
  EXPECT_EQ(stream.finish(), "#");
  EXPECT_EQ(stream.text(), "a##bc#");
}

TEST(TextStream, TheEarliestStopStringWins) {
  TextStream stream({"two", "one"});
  stream.add("zero one two");
  EXPECT_EQ(stream.text(), "zero ");
}

RC_GTEST_PROP(TextStream, ShowsTheTextUpToTheFirstStopHoweverItIsCut, ()) {
  const auto letters = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "a", "b", "\n", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"));
  const auto stop =
      *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::element('a', 'b', '\n')));
  std::string text;
  for (const std::string& letter : letters)
    text += letter;
  const std::string expected = text.substr(0, text.find(stop));

  TextStream stream({stop});
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    const auto size = std::min<std::size_t>(*rc::gen::inRange(1, 4), text.size() - at);
    shown += stream.add(std::string_view(text).substr(at, size));
    RC_ASSERT(!invalid_utf8_at(shown).has_value());
    RC_ASSERT(expected.starts_with(shown));
    at += size;
  }
  shown += stream.finish();
  RC_ASSERT(shown == expected);
  RC_ASSERT(stream.text() == expected);
}

}  // namespace
}  // namespace litestage
