#include "app/arguments.h"

#include <gtest/gtest.h>

namespace litestage::app {
namespace {

using Words = std::vector<std::string>;

Words normalised(std::vector<const char*> words) {
  words.insert(words.begin(), "litestage");
  return normalise_arguments(static_cast<int>(words.size()), words.data());
}

TEST(NormaliseArguments, WritesShortFlagsOfSeveralLettersLong) {
  EXPECT_EQ(normalised({"run", "-hf", "a/b", "-ngl", "3", "-ctk", "q8_0", "-ctv", "f16", "-ub",
                        "64", "-fa", "on"}),
            (Words{"run", "--hf-repo", "a/b", "--gpu-layers", "3", "--cache-type-k", "q8_0",
                   "--cache-type-v", "f16", "--ubatch-size", "64", "--flash-attn", "on"}));
}

TEST(NormaliseArguments, TakesAValueBehindAnEqualsSign) {
  EXPECT_EQ(normalised({"pull", "-hf=a/b:Q4=x"}), (Words{"pull", "--hf-repo=a/b:Q4=x"}));
}

TEST(NormaliseArguments, JoinsTheMaskOfAStageWithItsName) {
  EXPECT_EQ(
      normalised({"run", "--mask-recall", "a1,f3", "--mask-answer=none", "--mask", "f2"}),
      (Words{"run", "--stage-mask", "recall=a1,f3", "--stage-mask=answer=none", "--mask", "f2"}));
  EXPECT_EQ(normalised({"run", "--mask-recall"}), (Words{"run", "--mask-recall"}));
}

TEST(NormaliseArguments, LeavesEverythingElse) {
  const Words words = {"run", "-m", "x", "-h", "-hfx", "--hf-repo",
                       "hf",  "",   "-", "--", "-hf",  "-ub"};
  std::vector<const char*> pointers;
  for (const auto& word : words)
    pointers.push_back(word.c_str());
  EXPECT_EQ(normalised(pointers), words);
}

TEST(NormaliseArguments, CopesWithNoArgumentsAtAll) {
  EXPECT_TRUE(normalised({}).empty());
  EXPECT_TRUE(normalise_arguments(0, nullptr).empty());
}

}  // namespace
}  // namespace litestage::app
