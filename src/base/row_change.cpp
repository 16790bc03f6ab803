#include "base/row_change.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace litestage {

RowChange compare_rows(std::span<const float> in, std::span<const float> out) {
  assert(in.size() == out.size());
  // Sums of a block are floats in as many lanes as a vector register has: the compiler may not
  // reorder one sum of floats by itself. Blocks are short, so that little is rounded away.
  constexpr std::size_t LANES = 8;
  constexpr std::size_t BLOCK = 256;
  double dot = 0;
  double in_square = 0;
  double out_square = 0;
  for (std::size_t begin = 0; begin < in.size(); begin += BLOCK) {
    const std::size_t end = std::min(in.size(), begin + BLOCK);
    std::array<float, LANES> dots{};
    std::array<float, LANES> in_squares{};
    std::array<float, LANES> out_squares{};
    std::size_t i = begin;
    for (; i + LANES <= end; i += LANES) {
      for (std::size_t lane = 0; lane < LANES; ++lane) {
        const float a = in[i + lane];
        const float b = out[i + lane];
        dots[lane] += a * b;
        in_squares[lane] += a * a;
        out_squares[lane] += b * b;
      }
    }
    for (std::size_t lane = 0; i < end; ++i, ++lane) {
      dots[lane] += in[i] * out[i];
      in_squares[lane] += in[i] * in[i];
      out_squares[lane] += out[i] * out[i];
    }
    dot += std::accumulate(dots.begin(), dots.end(), 0.0);
    in_square += std::accumulate(in_squares.begin(), in_squares.end(), 0.0);
    out_square += std::accumulate(out_squares.begin(), out_squares.end(), 0.0);
  }
  if (in_square == 0) return {out_square == 0 ? 1.0F : 0.0F, 1.0F};
  if (out_square == 0) return {0.0F, 0.0F};
  const double cosine = dot / std::sqrt(in_square * out_square);
  return {static_cast<float>(std::clamp(cosine, -1.0, 1.0)),
          static_cast<float>(std::sqrt(out_square / in_square))};
}

}  // namespace litestage
