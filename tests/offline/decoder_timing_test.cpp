// Times decide nothing here; what is timed must be the work that was asked for.
#include "offline/decoder_timing.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "support/calibration.h"
#include "support/learned_preview.h"
#include "support/temporary.h"

namespace litestage::test {
namespace {

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
