// Times decide nothing here; what is timed must be the work that was asked for.
#include "offline/decoder_timing.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "support/calibration.h"
#include "support/decoder_tools.h"
#include "support/learned_preview.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

TEST(DecoderTiming, StepsWriteATextFromItsBeginning) {
  Calibration tiny;
  constexpr std::array<SequenceId, 1> ALONE = {0};
  const std::vector<Token> text = {7, 9, 11};
  const std::vector<Token> context = {20, 21, 22};
  all_logits(tiny.decoder, context);
  EXPECT_GT(timed_steps(tiny.decoder, ALONE, text, {}, 4, HeadUse::full), 0);
  const std::vector<float> found = all_logits(tiny.decoder, std::vector<Token>{30});

  tiny.decoder.clear();
  all_logits(tiny.decoder, context);
  const std::vector<float> each =
      stepwise_logits(tiny.decoder, std::vector<Token>{7, 9, 11, 7, 9, 30});
  ASSERT_EQ(each.size(), 6 * found.size());
  const auto expected = std::span(each).last(found.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-4) << i;
}

TEST(DecoderTiming, TimesOfAnotherPreviewHaveAnotherName) {
  const TemporaryFolder folder;
  Calibration tiny;
  EXPECT_EQ(head_in_use(tiny.decoder), "full");
  EXPECT_EQ(head_identity(tiny.decoder), "full");
  give_preview(tiny, folder / "tiny.head.gguf");
  const std::string shown = head_in_use(tiny.decoder);
  const std::string name = head_identity(tiny.decoder);
  EXPECT_TRUE(name.starts_with(shown + ", margin ")) << name;
  give_preview(tiny, folder / "tiny.head.gguf", 0.5F);
  EXPECT_EQ(head_in_use(tiny.decoder), shown);
  EXPECT_NE(head_identity(tiny.decoder), name);
}

}  // namespace
}  // namespace litestage::test
