// Where a context quotes what branches wrote.
#include "stage/branch_merge.h"

#include <gtest/gtest.h>

#include <vector>

namespace litestage::test {
namespace {

void expect_text(const KeptText& text, SequenceId from, int first, int at, int count) {
  EXPECT_EQ(text.from, from);
  EXPECT_EQ(text.first, first);
  EXPECT_EQ(text.at, at);
  EXPECT_EQ(text.count, count);
}

TEST(BranchMerge, FindsEachTextInOrderWithoutItsEnds) {
  // The first text's first token and the second's last one were encoded otherwise.
  const std::vector<Token> context = {1, 2, 90, 11, 12, 13, 14, 3, 21, 22, 23, 24, 91, 4};
  const std::vector<KeptText> found =
      find_quoted(context, {{5, 100, {10, 11, 12, 13, 14}}, {6, 200, {21, 22, 23, 24, 25}}});
  ASSERT_EQ(found.size(), 2U);
  expect_text(found[0], 5, 101, 3, 4);
  expect_text(found[1], 6, 200, 8, 4);
}

TEST(BranchMerge, EqualTextsAreFoundOneBehindTheOther) {
  const std::vector<Token> context = {11, 12, 13, 14, 0, 11, 12, 13, 14, 0};
  const std::vector<KeptText> found =
      find_quoted(context, {{5, 100, {11, 12, 13, 14}}, {6, 200, {11, 12, 13, 14}}});
  ASSERT_EQ(found.size(), 2U);
  expect_text(found[0], 5, 100, 0, 4);
  expect_text(found[1], 6, 200, 5, 4);
}

TEST(BranchMerge, WhatIsNotQuotedOrTooShortIsLeftOut) {
  EXPECT_TRUE(find_quoted(std::vector<Token>{1, 2, 3, 11, 12, 13}, {{5, 0, {11, 12, 13}}}).empty());
  EXPECT_TRUE(find_quoted(std::vector<Token>{1, 2, 3}, {{5, 0, {11, 12, 13, 14}}}).empty());
  EXPECT_TRUE(find_quoted(std::vector<Token>{}, {{5, 0, {11, 12, 13, 14}}}).empty());
  EXPECT_TRUE(find_quoted(std::vector<Token>{1, 2, 3}, {}).empty());
}

}  // namespace
}  // namespace litestage::test
