#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "litestage/model.h"

namespace litestage {

/// Computes single rows of a model's head, as the graph computes all: for a choice among few tokens
/// and pass two of the two-pass head. Reads them where they lie in the file.
class HeadRows {
 public:
  /// @param model must stay alive, its head on the CPU
  explicit HeadRows(const Model& model);

  /// Logits of some rows.
  /// @param state [n_embd], after the final norm
  /// @param rows of the vocabulary
  /// @param logits [n_vocab]; only the rows' entries are written
  void compute(std::span<const float> state, std::span<const int> rows, std::span<float> logits);
  /// The same one behind the other.
  /// @param logits [rows.size()]
  void compute_packed(std::span<const float> state, std::span<const int> rows,
                      std::span<float> logits);
  /// Logits of all rows, on several threads.
  void compute_all(std::span<const float> state, std::span<float> logits, int threads);

 private:
  void quantise(std::span<const float> state);
  float row(int index) const;
  /// Has the processor bring a row of the head near.
  void fetch(int index) const;

  const Model& model_;
  std::size_t row_bytes_ = 0;
  std::vector<std::byte> state_;  // in the type that the head's type is multiplied with
  std::vector<float> bias_;       // empty: none
};

}  // namespace litestage
