// Products of quantised weights with batches: the kernel against sums of what weights and rounded
// activations stand for, and the graph's nodes against ggml's.
#include "model/panel_product.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <vector>

#include <ggml-cpp.h>
#include <ggml-cpu.h>

#include "model/backend.h"
#include "model/panel_kernel.h"
#include "support/libllama_oracle.h"

namespace litestage::test {
namespace {

constexpr ggml_type TYPES[] = {GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
                               GGML_TYPE_Q8_0, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};

std::vector<float> random_floats(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values)
    value = normal(random);
  return values;
}

std::vector<std::byte> random_weights(ggml_type type, int columns, int rows, std::uint32_t seed) {
  const std::vector<float> values =
      random_floats(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows), seed);
  std::vector<std::byte> weights(ggml_row_size(type, columns) * static_cast<std::size_t>(rows));
  ggml_quantize_chunk(type, values.data(), weights.data(), 0, rows, columns, nullptr);
  return weights;
}

/// What rounded activations stand for.
std::vector<float> rounded(ActivationFormat format, const std::vector<float>& x) {
  const ggml_type type =
      format == ActivationFormat::blocks_of_256 ? GGML_TYPE_Q8_K : GGML_TYPE_Q8_0;
  const auto count = static_cast<std::int64_t>(x.size());
  std::vector<std::byte> bytes(ggml_row_size(type, count));
  ggml_get_type_traits_cpu(type)->from_float(x.data(), bytes.data(), count);
  std::vector<float> values(x.size());
  if (type == GGML_TYPE_Q8_0) {
    ggml_get_type_traits(type)->to_float(bytes.data(), values.data(), count);
    return values;
  }
  for (std::size_t block = 0; block < x.size() / 256; ++block) {  // ggml offers no way back
    const std::byte* data = bytes.data() + block * ggml_type_size(type);
    float scale = 0;
    std::memcpy(&scale, data, sizeof scale);
    for (std::size_t i = 0; i < 256; ++i) {
      values[block * 256 + i] =
          scale * static_cast<float>(static_cast<std::int8_t>(data[sizeof scale + i]));
    }
  }
  return values;
}

struct Case {
  ggml_type type;
  int columns;
  int rows;
  std::vector<std::byte> weights;
  std::vector<float> x;  // [tokens][columns]
  int tokens() const { return static_cast<int>(x.size()) / columns; }
};

std::vector<float> by_kernel(const Case& c) {
  const ActivationFormat format = *panel_activations(c.type);
  const auto tokens = static_cast<std::size_t>(c.tokens());
  const auto rows = static_cast<std::size_t>(c.rows);
  const std::size_t each = activation_bytes(format, c.columns);
  std::vector<std::byte> activations(each * tokens);
  for (int i = 0; i < tile_count(c.tokens()); ++i) {
    const TokenRange tile = tile_of(c.tokens(), i);
    std::vector<const float*> token_rows;
    for (int t = tile.first; t < tile.first + tile.count; ++t)
      token_rows.push_back(c.x.data() + static_cast<std::ptrdiff_t>(t) * c.columns);
    round_tile(format, token_rows, c.columns,
               activations.data() + each * static_cast<std::size_t>(tile.first));
  }
  std::vector<std::byte> panels(c.weights.size());
  lay_out_panels(c.type, c.weights, c.columns, panels, 2);
  std::vector<float> products(tokens * rows, std::nanf(""));
  for (std::size_t row = 0; row < rows; row += PANEL_ROWS) {
    multiply_panel(c.type, panels.data() + row * ggml_row_size(c.type, c.columns), c.columns,
                   activations.data(), c.tokens(), products.data() + row, rows);
  }
  return products;
}

std::vector<float> by_definition(const Case& c) {
  const std::vector<float> x = rounded(*panel_activations(c.type), c.x);
  std::vector<float> row(static_cast<std::size_t>(c.columns));
  std::vector<float> products(static_cast<std::size_t>(c.tokens() * c.rows));
  for (int r = 0; r < c.rows; ++r) {
    ggml_get_type_traits(c.type)->to_float(
        c.weights.data() + static_cast<std::size_t>(r) * ggml_row_size(c.type, c.columns),
        row.data(), c.columns);
    for (int t = 0; t < c.tokens(); ++t) {
      products[static_cast<std::size_t>(t * c.rows + r)] = static_cast<float>(
          std::inner_product(row.begin(), row.end(), x.begin() + t * c.columns, 0.0));
    }
  }
  return products;
}

class PanelKernel : public testing::TestWithParam<ggml_type> {
 protected:
  void SetUp() override {
    if (!cpu_has_panel_kernel()) GTEST_SKIP() << "this CPU has no AVX2";
  }
  static Case random_case(int columns, int rows, int tokens) {
    return {GetParam(), columns, rows, random_weights(GetParam(), columns, rows, 7),
            random_floats(static_cast<std::size_t>(columns * tokens), 8)};
  }
  /// Blocks whose numbers are all as large as they can be, with these scales.
  static std::vector<std::byte> largest_weights(int columns, int rows) {
    const std::size_t size = ggml_type_size(GetParam());
    std::vector<std::byte> weights(
        ggml_row_size(GetParam(), columns) * static_cast<std::size_t>(rows), std::byte{0xFF});
    const bool has_min = GetParam() == GGML_TYPE_Q4_1 || GetParam() == GGML_TYPE_Q5_1 ||
                         GetParam() == GGML_TYPE_Q4_K || GetParam() == GGML_TYPE_Q5_K;
    const std::size_t place = GetParam() == GGML_TYPE_Q6_K ? size - sizeof(ggml_fp16_t) : 0;
    const ggml_fp16_t scale = ggml_fp32_to_fp16(0.25F);
    for (std::size_t block = 0; block < weights.size(); block += size) {
      std::memcpy(weights.data() + block + place, &scale, sizeof scale);
      if (has_min) std::memcpy(weights.data() + block + sizeof scale, &scale, sizeof scale);
      // What is signed is as large as it can be, or as small: scales of Q6_K, numbers of Q8_0.
      const std::size_t first = GetParam() == GGML_TYPE_Q6_K ? 192 : sizeof scale;
      if (GetParam() == GGML_TYPE_Q6_K || GetParam() == GGML_TYPE_Q8_0) {
        for (std::size_t i = first; i < (first == 192 ? 208 : size); ++i)
          weights[block + i] = i % 3 == 0 ? std::byte{0x80} : std::byte{0x7F};
      }
    }
    return weights;
  }
};

TEST_P(PanelKernel, GivesTheSumsOfWeightsTimesRoundedActivations) {
  for (const int tokens : {1, 2, 3, 4, 5, 6, 7, 8, 13, 40}) {
    for (const int columns : {256, 1536, 1536 + 512}) {  // one stretch, and more than one
      const Case c = random_case(columns, 24, tokens);
      EXPECT_LE(nmse(by_kernel(c), by_definition(c)), 1e-11)
          << tokens << " tokens, " << columns << " columns";
    }
  }
}

TEST_P(PanelKernel, NothingOverflowsWhereAllNumbersAreAsLargeAsTheyCanBe) {
  for (const float second : {1.0F, -1.0F}) {
    Case c{GetParam(), 512, 8, largest_weights(512, 8), std::vector<float>(std::size_t{512} * 6)};
    for (std::size_t i = 0; i < c.x.size(); ++i)
      c.x[i] = i % 2 == 0 ? 1.0F : second;
    for (std::size_t i = 0; i < 512; ++i)
      c.x[i] = -c.x[i];
    const std::vector<float> expected = by_definition(c);
    const std::vector<float> found = by_kernel(c);
    double largest = 1;
    for (const float value : expected)
      largest = std::max(largest, std::abs(static_cast<double>(value)));
    for (std::size_t i = 0; i < found.size(); ++i)
      ASSERT_NEAR(found[i], expected[i], 1e-5 * largest) << i;
  }
}

TEST_P(PanelKernel, ZeroActivationsGiveZero) {
  Case c = random_case(512, 8, 3);
  std::fill_n(c.x.begin(), 512 + 256, 0.0F);  // one token, and the first half of another
  const std::vector<float> products = by_kernel(c);
  for (int row = 0; row < c.rows; ++row)
    EXPECT_EQ(products[static_cast<std::size_t>(row)], 0.0F);
  EXPECT_LE(nmse(products, by_definition(c)), 1e-11);
}

INSTANTIATE_TEST_SUITE_P(AllTypes, PanelKernel, testing::ValuesIn(TYPES),
                         [](const auto& info) { return ggml_type_name(info.param); });

/// One token's numbers of a tile, and what they are times.
std::vector<float> of_token(ActivationFormat format, const std::vector<std::byte>& tile,
                            int columns, std::size_t tokens, std::size_t token) {
  const auto length = static_cast<std::size_t>(block_length(format));
  std::vector<float> values;
  for (std::size_t block = 0; block < static_cast<std::size_t>(columns) / length; ++block) {
    const std::byte* data = tile.data() + block * block_bytes(format) * tokens;
    const std::size_t scales = (length + (length == 256 ? 48 : 0)) * tokens;
    float scale = 0;
    std::memcpy(&scale, data + scales + token * sizeof scale, sizeof scale);
    for (std::size_t i = 0; i < length; ++i) {
      const std::byte value = data[(i / 4 * tokens + token) * 4 + i % 4];
      values.push_back(scale * static_cast<float>(static_cast<std::int8_t>(value)));
    }
  }
  return values;
}

TEST(ActivationTiles, AreRoundedAsGgmlRounds) {
  if (!cpu_has_panel_kernel()) GTEST_SKIP() << "this CPU has no AVX2";
  constexpr int COLUMNS = 768;
  std::vector<std::vector<float>> tokens;
  for (std::uint32_t seed = 0; seed < 4; ++seed)
    tokens.push_back(random_floats(COLUMNS, seed));
  std::fill_n(tokens[1].begin(), 300, 0.0F);
  for (std::size_t i = 0; i < COLUMNS; ++i) {
    // Halfway between whole numbers, and largest numbers of both signs.
    tokens[2][i] = i % 32 == 5 ? 127.0F : static_cast<float>(i * 37 % 252) - 125.5F;
    tokens[3][i] = i % 100 == 7 ? -3.0F : i % 100 == 3 ? 3.0F : 0.25F;
  }
  for (const auto format : {ActivationFormat::blocks_of_256, ActivationFormat::blocks_of_32}) {
    std::vector<const float*> rows;
    for (const std::vector<float>& token : tokens)
      rows.push_back(token.data());
    std::vector<std::byte> tile(activation_bytes(format, COLUMNS) * rows.size());
    round_tile(format, rows, COLUMNS, tile.data());
    for (std::size_t i = 0; i < rows.size(); ++i)
      EXPECT_EQ(of_token(format, tile, COLUMNS, rows.size(), i), rounded(format, tokens[i])) << i;
  }
}

TEST(ActivationTiles, ShareABatchEvenly) {
  for (int n_tokens = 1; n_tokens < 40; ++n_tokens) {
    int next = 0;
    int least = TILE_TOKENS;
    int most = 0;
    for (int i = 0; i < tile_count(n_tokens); ++i) {
      const TokenRange tile = tile_of(n_tokens, i);
      EXPECT_EQ(tile.first, next);
      next += tile.count;
      least = std::min(least, tile.count);
      most = std::max(most, tile.count);
    }
    EXPECT_EQ(next, n_tokens);
    EXPECT_LE(most, TILE_TOKENS);
    EXPECT_LE(most - least, 1) << n_tokens;
  }
}

/// A graph of products of one input with several weights, in panels or as ggml has them.
class PanelProductGraph : public testing::Test {
 protected:
  void SetUp() override {
    if (!cpu_has_panel_kernel()) GTEST_SKIP() << "this CPU has no AVX2";
  }

  struct Shape {
    ggml_type type;
    int columns;
    int rows;
  };
  struct Run {
    std::vector<std::vector<float>> products;
    int custom_nodes = 0;
  };

  static Run run(const std::vector<Shape>& shapes, int tokens, int threads, bool in_panels) {
    constexpr std::size_t NODES = 64;
    const ggml_init_params empty{.mem_size = NODES * ggml_tensor_overhead() + ggml_graph_overhead(),
                                 .mem_buffer = nullptr,
                                 .no_alloc = true};
    ggml_backend_buffer_type_t memory = ggml_backend_dev_buffer_type(cpu_device());
    const ggml_context_ptr weights_context(ggml_init(empty));
    std::vector<ggml_tensor*> weights;
    for (const Shape& shape : shapes) {
      weights.push_back(
          ggml_new_tensor_2d(weights_context.get(), shape.type, shape.columns, shape.rows));
    }
    const ggml_backend_buffer_ptr held(
        ggml_backend_alloc_ctx_tensors_from_buft(weights_context.get(), memory));
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      std::vector<std::byte> bytes = random_weights(shapes[i].type, shapes[i].columns,
                                                    shapes[i].rows, static_cast<std::uint32_t>(i));
      const std::vector<std::byte> rows = bytes;
      if (in_panels) lay_out_panels(shapes[i].type, rows, shapes[i].columns, bytes, threads);
      ggml_backend_tensor_set(weights[i], bytes.data(), 0, bytes.size());
    }

    const ggml_context_ptr context(ggml_init(empty));
    ggml_tensor* x = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, shapes[0].columns, tokens);
    ggml_cgraph* graph = ggml_new_graph(context.get());
    PanelProducts products(context.get(), in_panels ? held.get() : nullptr);
    std::vector<ggml_tensor*> outputs;
    for (ggml_tensor* weight : weights) {
      outputs.push_back(products.multiply(weight, x));
      ggml_build_forward_expand(graph, outputs.back());
    }
    const ggml_backend_buffer_ptr buffer(
        ggml_backend_alloc_ctx_tensors_from_buft(context.get(), memory));
    const std::vector<float> values =
        random_floats(static_cast<std::size_t>(ggml_nelements(x)), 99);
    ggml_backend_tensor_set(x, values.data(), 0, ggml_nbytes(x));
    const ggml_backend_ptr backend(ggml_backend_dev_init(cpu_device(), nullptr));
    ggml_backend_cpu_set_n_threads(backend.get(), threads);
    EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_SUCCESS);
    Run result;
    for (const ggml_tensor* output : outputs) {
      result.products.emplace_back(static_cast<std::size_t>(ggml_nelements(output)));
      ggml_backend_tensor_get(output, result.products.back().data(), 0, ggml_nbytes(output));
    }
    for (int i = 0; i < ggml_graph_n_nodes(graph); ++i)
      result.custom_nodes += ggml_graph_node(graph, i)->op == GGML_OP_CUSTOM ? 1 : 0;
    return result;
  }

  static void expect_as_ggml(const std::vector<Shape>& shapes, double most) {
    for (const int tokens : {1, 2, 6, 17, 64}) {
      const Run plain = run(shapes, tokens, 1, false);
      EXPECT_EQ(plain.custom_nodes, 0);
      for (const int threads : {1, 2, 3}) {
        const Run ours = run(shapes, tokens, threads, true);
        EXPECT_GT(ours.custom_nodes, 0);
        for (std::size_t i = 0; i < shapes.size(); ++i) {
          EXPECT_LE(nmse(ours.products[i], plain.products[i]), most)
              << ggml_type_name(shapes[i].type) << ", " << tokens << " tokens, " << threads
              << " threads, product " << i;
        }
      }
    }
  }
};

TEST_F(PanelProductGraph, GivesWhatGgmlGives) {
  // ggml rounds sums of activations to half precision for the types whose blocks have an offset.
  for (const ggml_type type : TYPES) {
    const bool rounds_sums = type == GGML_TYPE_Q4_1 || type == GGML_TYPE_Q5_1;
    expect_as_ggml({{type, 512, 72}}, rounds_sums ? 1e-5 : 1e-11);
  }
}

TEST_F(PanelProductGraph, ManyProductsShareRoundedActivations) {
  std::vector<Shape> shapes;
  for (int i = 0; i < 6; ++i)
    shapes.push_back({GGML_TYPE_Q6_K, 256, 8 * (i + 1)});
  expect_as_ggml(shapes, 1e-11);
  EXPECT_EQ(run(shapes, 6, 2, true).custom_nodes, 6 + 2) << "four products for each rounding";
}

TEST_F(PanelProductGraph, FormatsOfActivationsTakeTurns) {
  expect_as_ggml({{GGML_TYPE_Q6_K, 256, 40}, {GGML_TYPE_Q5_0, 256, 40}, {GGML_TYPE_Q5_K, 256, 40}},
                 1e-11);
}

TEST(WeightPanels, HoldTypesAndShapesThatTheKernelKnows) {
  for (const ggml_type type : TYPES) {
    EXPECT_TRUE(fits_panels(type, 512, 64)) << ggml_type_name(type);
    EXPECT_FALSE(fits_panels(type, 512, 60)) << ggml_type_name(type);
  }
  EXPECT_FALSE(fits_panels(GGML_TYPE_Q6_K, 896, 64)) << "no whole blocks";
  EXPECT_TRUE(fits_panels(GGML_TYPE_Q5_0, 896, 64));
  for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_IQ4_NL})
    EXPECT_FALSE(fits_panels(type, 512, 64)) << ggml_type_name(type);
}

TEST(WeightPanels, HaveFourBytesOfEachRowInTurn) {
  // One block of Q4_0 in each row: its scale, then 16 bytes.
  std::vector<std::byte> rows;
  for (int row = 0; row < PANEL_ROWS; ++row) {
    for (int i = 0; i < 18; ++i)
      rows.push_back(static_cast<std::byte>(row * 18 + i));
  }
  std::vector<std::byte> expected;
  const auto take = [&](std::size_t from, std::size_t count) {
    for (std::size_t row = 0; row < PANEL_ROWS; ++row) {
      for (std::size_t i = 0; i < count; ++i)
        expected.push_back(static_cast<std::byte>(row * 18 + from + i));
    }
  };
  take(0, 2);
  for (std::size_t quad = 0; quad < 4; ++quad)
    take(2 + 4 * quad, 4);
  std::vector<std::byte> panels(rows.size());
  lay_out_panels(GGML_TYPE_Q4_0, rows, 32, panels, 1);
  EXPECT_EQ(panels, expected);
}

}  // namespace
}  // namespace litestage::test
