#pragma once

#include <cstddef>
#include <span>

#include <Eigen/Core>

#include "litestage/model.h"

namespace litestage {

/// Rows of a matrix lie behind one another, as ggml has them.
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Rows `begin` to `begin + count` of a model's head in floats: [count][n_embd].
/// @param model its head on the CPU
RowMatrix head_block(const Model& model, int begin, int count);

/// WᵀW of a head W [n_vocab][n_embd].
Eigen::MatrixXd head_gram(const Model& model, int threads);

/// A float matrix, row by row in Q4_0. @param columns a multiple of 32
void quantise_rows(const RowMatrix& rows, std::span<std::byte> to);
/// And back.
RowMatrix dequantise_rows(std::span<const std::byte> from, Eigen::Index rows, Eigen::Index columns);

}  // namespace litestage
