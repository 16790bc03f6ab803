#pragma once

#include <span>

namespace litestage {

/// How much a sublayer changes one token's row of the residual stream.
struct RowChange {
  float cosine = 1;      ///< between input and output
  float norm_ratio = 1;  ///< |output| / |input|
};

/// Compares two rows of equal length. A row of zeros has cosine 1 with another one, 0 with any
/// other row, and leaves the norm ratio at 1.
RowChange compare_rows(std::span<const float> in, std::span<const float> out);

}  // namespace litestage
