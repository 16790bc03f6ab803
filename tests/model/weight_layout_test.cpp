// Weights laid out for this CPU, whatever that is: panels, a layout of ggml's or another type. A
// model gives what it gives with weights as they lie in the file, but for a number that is rounded
// the other way once.
#include <gtest/gtest.h>

#include "model/requantize.h"
#include "support/decoder_tools.h"
#include "support/libllama_oracle.h"
#include "support/temporary.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

class WeightLayout : public testing::TestWithParam<ggml_type> {
 protected:
  static TinyOptions options() {
    TinyOptions options;
    options.embd = 256;
    options.ffn = 512;
    options.weight_type = GetParam();
    return options;
  }
  std::shared_ptr<const Model> load(bool repack) const {
    ModelOptions how;
    how.repack = repack;
    return Model::load(tiny_.file(), how);
  }
  static std::vector<float> logits(const std::shared_ptr<const Model>& model) {
    Decoder decoder(model, small_decoder());
    return all_logits(decoder, random_tokens(40, model->vocabulary_size(), 3));
  }

  LoadedTiny tiny_{options()};
};

// All round activations to eight bits, and add in different order. A number that is rounded the
// other way once is all that layouts may differ by, which is little beside what rounding does at
// all; but ggml rounds sums of activations to half precision for the types whose blocks have an
// offset.
TEST_P(WeightLayout, IsAsNearToUnroundedActivationsAsWeightsAsInTheFile) {
  const TemporaryFolder folder;
  requantize(tiny_.file(), "F16", folder / "unrounded.gguf", 1);
  const std::vector<float> unrounded = logits(Model::load(folder / "unrounded.gguf"));
  const std::vector<float> as_in_file = logits(load(false));
  const std::vector<float> laid_out = logits(load(true));
  const double rounding = nmse(as_in_file, unrounded);
  EXPECT_LE(nmse(laid_out, unrounded), 1.1 * rounding);
  const bool rounds_sums = GetParam() == GGML_TYPE_Q4_1 || GetParam() == GGML_TYPE_Q5_1;
  const double share = rounds_sums ? 1 : GetParam() == GGML_TYPE_Q5_0 ? 8 : 4;
  EXPECT_LE(nmse(laid_out, as_in_file), rounding / share);
}

TEST_P(WeightLayout, HasTheBytesOfTheFile) {
  EXPECT_EQ(load(true)->weight_bytes(), load(false)->weight_bytes());
}

INSTANTIATE_TEST_SUITE_P(QuantisedTypes, WeightLayout,
                         testing::Values(GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0,
                                         GGML_TYPE_Q5_1, GGML_TYPE_Q8_0, GGML_TYPE_Q4_K,
                                         GGML_TYPE_Q5_K, GGML_TYPE_Q6_K),
                         [](const auto& info) { return ggml_type_name(info.param); });

}  // namespace
}  // namespace litestage::test
