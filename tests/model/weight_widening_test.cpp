// Weights held in a wider type, where the CPU has a layout for that one alone: every value stays
// what it was, and the bytes that a step reads are counted as they are held.
#include "model/weight_widening.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "model/backend.h"
#include "model/model_weights.h"
#include "support/decoder_tools.h"
#include "support/tiny_cases.h"

namespace litestage::test {
namespace {

constexpr std::size_t BLOCK = 32;

/// Blocks of random bits whose scales are numbers.
std::vector<std::byte> random_blocks(std::size_t count, std::uint32_t seed) {
  const std::size_t size = ggml_type_size(GGML_TYPE_Q5_0);
  std::mt19937 random(seed);
  std::vector<std::byte> blocks(count * size);
  for (std::byte& byte : blocks)
    byte = static_cast<std::byte>(random() & 0xFFU);
  for (std::size_t i = 0; i < count; ++i) {
    const ggml_fp16_t scale =
        ggml_fp32_to_fp16(static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 100);
    std::memcpy(blocks.data() + i * size, &scale, sizeof scale);
  }
  return blocks;
}

std::vector<float> values(ggml_type type, const std::vector<std::byte>& weights) {
  const std::size_t count = weights.size() / ggml_type_size(type) * BLOCK;
  std::vector<float> floats(count);
  ggml_get_type_traits(type)->to_float(weights.data(), floats.data(),
                                       static_cast<std::int64_t>(count));
  return floats;
}

TEST(WeightWidening, EveryValueStaysWhatItWas) {
  // More blocks than one thread takes at a time, and a rest.
  for (const std::size_t count : {std::size_t{1}, std::size_t{7}, std::size_t{3 * 4096 + 5}}) {
    const std::vector<std::byte> narrow = random_blocks(count, 5);
    std::vector<std::byte> wide(count * ggml_type_size(GGML_TYPE_Q8_0));
    widen_q5_0(narrow, wide, 3);
    EXPECT_EQ(values(GGML_TYPE_Q8_0, wide), values(GGML_TYPE_Q5_0, narrow)) << count << " blocks";
  }
}

TEST(WeightWidening, OnlyTypesThatAnotherOneHoldsExactlyHaveAWiderOne) {
  EXPECT_EQ(wider_type(GGML_TYPE_Q5_0), GGML_TYPE_Q8_0);
  for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_K,
                               GGML_TYPE_Q6_K, GGML_TYPE_Q5_1}) {
    EXPECT_FALSE(wider_type(type)) << ggml_type_name(type);
  }
}

class WidenedModel : public testing::Test {
 protected:
  static TinyOptions options() {
    TinyOptions options;
    options.embd = 256;
    options.ffn = 512;
    options.weight_type = GGML_TYPE_Q5_0;
    return options;
  }
  std::shared_ptr<const Model> load(bool repack) const {
    ModelOptions how;
    how.repack = repack;
    return Model::load(tiny_.file(), how);
  }

  LoadedTiny tiny_{options()};
};

TEST_F(WidenedModel, IsUsedWhereTheCpuHasALayoutForTheWideTypeAlone) {
  const auto buffers = cpu_buffer_types(true);
  const ggml_context_ptr context(
      ggml_init({.mem_size = 2 * ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true}));
  const auto has_layout = [&](ggml_type type) {
    const ggml_tensor* weight = ggml_new_tensor_2d(context.get(), type, 256, 512);
    return matrix_buffer_type(buffers, weight) != buffers.back();
  };
  const bool expected = has_layout(GGML_TYPE_Q8_0) && !has_layout(GGML_TYPE_Q5_0);
  const auto model = load(true);
  const ModelWeights& weights = model->weights();
  EXPECT_EQ(weights.layers.front().ffn_up->type, expected ? GGML_TYPE_Q8_0 : GGML_TYPE_Q5_0);
  EXPECT_EQ(weights.token_embedding->type, GGML_TYPE_Q5_0) << "rows are looked up, not multiplied";
}

TEST_F(WidenedModel, CountsTheBytesThatItHolds) {
  for (const bool repack : {false, true}) {
    const auto model = load(repack);
    const ModelWeights& weights = model->weights();
    const LayerWeights& layer = weights.layers.front();
    std::size_t ffn = 0;
    for (const ggml_tensor* tensor : {layer.ffn_norm, layer.ffn_gate, layer.ffn_up, layer.ffn_down})
      ffn += ggml_nbytes(tensor);
    EXPECT_EQ(model->sublayer_bytes(Sublayer::ffn, 0), ffn) << repack;
    EXPECT_EQ(model->weight_bytes(), tiny_.model()->weight_bytes()) << "is the file's";
    std::size_t step = ggml_nbytes(weights.output) + ggml_nbytes(weights.output_norm) +
                       ggml_row_size(weights.token_embedding->type, model->embedding_size());
    for (int i = 0; i < model->layer_count(); ++i) {
      step += model->sublayer_bytes(Sublayer::attention, i);
      step += model->sublayer_bytes(Sublayer::ffn, i);
    }
    EXPECT_EQ(model->bytes_per_token(), step) << repack;
  }
}

}  // namespace
}  // namespace litestage::test
