#include "app/two_columns.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/utf8.h"

namespace litestage::app {
namespace {

using Lines = std::vector<std::string>;

TEST(Wrapped, BreaksAtSpaces) {
  EXPECT_EQ(wrapped("the quick brown fox", 10), (Lines{"the quick", "brown fox"}));
  EXPECT_EQ(wrapped("the quick brown fox", 9), (Lines{"the quick", "brown fox"}));
  EXPECT_EQ(wrapped("the quick brown fox", 8), (Lines{"the", "quick", "brown", "fox"}));
  EXPECT_EQ(wrapped("short", 10), (Lines{"short"}));
  EXPECT_EQ(wrapped("", 10), (Lines{""}));
}

TEST(Wrapped, KeepsTheTextsOwnLinesAndIndents) {
  EXPECT_EQ(wrapped("one:\n\n  two and three", 9), (Lines{"one:", "", "  two and", "three"}));
  EXPECT_EQ(wrapped("two  words", 10), (Lines{"two  words"}));
}

TEST(Wrapped, BreaksWordsThatAreTooLong) {
  EXPECT_EQ(wrapped("a supercalifragilistic b", 8), (Lines{"a", "supercal", "ifragili", "stic b"}));
  EXPECT_EQ(wrapped("   indented", 6), (Lines{"   ind", "ented"}));
}

TEST(Wrapped, CountsColumnsAndNotBytes) {
  EXPECT_EQ(wrapped("\u00E4\u00F6\u00FC \u00E4\u00F6\u00FC", 7),
            (Lines{"\u00E4\u00F6\u00FC \u00E4\u00F6\u00FC"}));
  EXPECT_EQ(wrapped("\u6F22\u5B57\u6F22", 5), (Lines{"\u6F22\u5B57", "\u6F22"}));
}

TEST(Wrapped, NothingSteersTheTerminal) {
  EXPECT_EQ(wrapped("a\x1b[2Jb\tc\r\nd", 20), (Lines{"a [2Jb c", "d"}));
}

RC_GTEST_PROP(Wrapped, FitsAndLosesOnlySpaces, ()) {
  const auto letter = rc::gen::element<std::string>("a", "b", " ", "\n", "\u00E4", "\u6F22");
  std::string text;
  for (const std::string& part : *rc::gen::container<Lines>(letter))
    text += part;
  const auto width = *rc::gen::inRange<std::size_t>(2, 12);
  std::string joined;
  for (const std::string& line : wrapped(text, width)) {
    RC_ASSERT(display_width(line) <= width);
    RC_ASSERT(!line.ends_with(' '));
    joined += line;
  }
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
  std::erase(joined, ' ');
  RC_ASSERT(joined == text);
}

TEST(TwoColumns, StandBesideEachOther) {
  const std::vector<ColumnPart> left = {{"recall"}, {"iron is a heavy metal"}};
  const std::vector<ColumnPart> right = {{"recall"}, {"wool"}};
  EXPECT_EQ(two_columns(left, right, 23), (Lines{
                                              "recall     │ recall",
                                              "iron is a  │ wool",
                                              "heavy      │",
                                              "metal      │",
                                          }));
  EXPECT_EQ(two_columns({}, right, 23), (Lines{
                                            "           │ recall",
                                            "           │ wool",
                                        }));
  EXPECT_EQ(two_columns({}, {}, 23), Lines{});
}

TEST(TwoColumns, TheLineBetweenThemIsStraight) {
  const std::vector<ColumnPart> left = {{"\u6F22\u5B57"}, {"caf\u00E9"}, {"plain"}};
  const std::vector<ColumnPart> right = {{"\u6F22\u5B57\u6F22\u5B57 \u6F22\u5B57\u6F22\u5B57"}};
  for (const std::string& line : two_columns(left, right, 20)) {
    EXPECT_EQ(display_width(line.substr(0, line.find("│"))), 9U) << line;
    EXPECT_LE(display_width(line), 20U) << line;
  }
}

TEST(TwoColumns, AStyleEndsWithItsLine) {
  const std::vector<ColumnPart> left = {{"two lines", "<"}};
  const std::vector<ColumnPart> right = {{"one", "["}, {"plain"}};
  EXPECT_EQ(two_columns(left, right, 15, ">"), (Lines{"<two>    │ [one>", "<lines>  │ plain"}));
}

}  // namespace
}  // namespace litestage::app
