#include "offline/head_matrix.h"

#include <algorithm>
#include <mutex>

#include <ggml.h>

#include "base/parallel.h"
#include "model/model_weights.h"

namespace litestage {
namespace {

constexpr int ROWS_AT_ONCE = 2048;  // rows of a head that are in floats at a time, for each thread

}  // namespace

RowMatrix head_block(const Model& model, int begin, int count) {
  const ModelWeights& weights = model.weights();
  const ggml_type type = weights.output->type;
  const int width = model.embedding_size();
  RowMatrix block(count, width);
  const std::byte* from =
      weights.head_rows + static_cast<std::size_t>(begin) * ggml_row_size(type, width);
  const std::int64_t values = static_cast<std::int64_t>(count) * width;
  if (type == GGML_TYPE_F32) {
    std::copy_n(reinterpret_cast<const float*>(from), values, block.data());
  } else {
    ggml_get_type_traits(type)->to_float(from, block.data(), values);
  }
  return block;
}

Eigen::MatrixXd head_gram(const Model& model, int threads) {
  const int rows = model.vocabulary_size();
  const int width = model.embedding_size();
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(width, width);
  std::mutex mutex;
  for_each_index((rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE, threads, [&](int part) {
    const RowMatrix block =
        head_block(model, part * ROWS_AT_ONCE, std::min(ROWS_AT_ONCE, rows - part * ROWS_AT_ONCE));
    Eigen::MatrixXf product = Eigen::MatrixXf::Zero(width, width);
    product.selfadjointView<Eigen::Lower>().rankUpdate(block.transpose());
    const std::lock_guard lock(mutex);
    gram += product.cast<double>();
  });
  return gram.selfadjointView<Eigen::Lower>();
}

void quantise_rows(const RowMatrix& rows, std::span<std::byte> to) {
  ggml_quantize_chunk(GGML_TYPE_Q4_0, rows.data(), to.data(), 0, rows.rows(), rows.cols(), nullptr);
}

RowMatrix dequantise_rows(std::span<const std::byte> from, Eigen::Index rows,
                          Eigen::Index columns) {
  RowMatrix values(rows, columns);
  ggml_get_type_traits(GGML_TYPE_Q4_0)->to_float(from.data(), values.data(), rows * columns);
  return values;
}

}  // namespace litestage
