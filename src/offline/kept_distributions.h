#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace litestage {

/// Next-token distributions of the full model at many positions ("rows"), 16 bits a token of the
/// vocabulary; base/softmax.h says what the rounding does. Threads may work on different rows at
/// once.
class KeptDistributions {
 public:
  KeptDistributions(int rows, int vocabulary_size);

  /// Memory one row takes.
  static std::size_t row_bytes(int vocabulary_size) {
    return static_cast<std::size_t>(vocabulary_size) * sizeof(std::uint16_t) + sizeof(Row);
  }

  /// @param logits [vocabulary_size], finite
  void keep(int row, std::span<const float> logits);

  struct Difference {
    double kl = 0;         ///< from the kept distribution to the other, nats
    bool same_top = true;  ///< no token is likelier now than the one that was likeliest
  };
  /// @param logits [vocabulary_size], finite
  Difference compare(int row, std::span<const float> logits) const;

 private:
  struct Row {
    double normaliser = 1;
    int top = 0;
  };

  std::span<std::uint16_t> codes(int row) const;

  std::size_t vocabulary_size_;
  std::vector<Row> rows_;
  std::unique_ptr<std::uint16_t[]> codes_;  // [rows][vocabulary_size]
};

}  // namespace litestage
