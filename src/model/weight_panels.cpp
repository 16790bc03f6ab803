#include "model/weight_panels.h"

#include <cassert>
#include <cstring>

#include "base/parallel.h"

namespace litestage {
namespace {

constexpr std::size_t QUAD = 4;                    // bytes of a row that stand together
constexpr std::size_t HALF = sizeof(ggml_fp16_t);  // a scale that is left over

/// The same bytes of each row side by side. @returns the end of what was written
template <std::size_t BYTES>
std::byte* interleave(const std::byte* rows, std::size_t stride, std::byte* panel) {
  for (std::size_t row = 0; row < PANEL_ROWS; ++row)
    std::memcpy(panel + row * BYTES, rows + row * stride, BYTES);
  return panel + PANEL_ROWS * BYTES;
}

bool starts_with_scale_alone(ggml_type type) {
  return type == GGML_TYPE_Q4_0 || type == GGML_TYPE_Q5_0 || type == GGML_TYPE_Q8_0;
}

/// One block of each of eight rows, `stride` bytes apart.
void lay_out_block(ggml_type type, const std::byte* rows, std::size_t stride, std::byte* panel) {
  const std::size_t size = ggml_type_size(type);
  std::size_t from = 0;
  if (starts_with_scale_alone(type)) {
    panel = interleave<HALF>(rows, stride, panel);
    from = HALF;
  }
  for (; from + QUAD <= size; from += QUAD)
    panel = interleave<QUAD>(rows + from, stride, panel);
  if (from < size) interleave<HALF>(rows + from, stride, panel);
}

}  // namespace

std::optional<ActivationFormat> panel_activations(ggml_type type) {
  switch (type) {
    case GGML_TYPE_Q4_K:
    case GGML_TYPE_Q5_K:
    case GGML_TYPE_Q6_K:
      return ActivationFormat::blocks_of_256;
    case GGML_TYPE_Q4_0:
    case GGML_TYPE_Q4_1:
    case GGML_TYPE_Q5_0:
    case GGML_TYPE_Q5_1:
    case GGML_TYPE_Q8_0:
      return ActivationFormat::blocks_of_32;
    default:
      return std::nullopt;
  }
}

bool fits_panels(ggml_type type, std::int64_t columns, std::int64_t rows) {
  const auto format = panel_activations(type);
  return format && columns % block_length(*format) == 0 && rows % PANEL_ROWS == 0;
}

void lay_out_panels(ggml_type type, std::span<const std::byte> rows, std::int64_t columns,
                    std::span<std::byte> panels, int threads) {
  const std::size_t row_bytes = ggml_row_size(type, columns);
  const std::size_t panel_bytes = row_bytes * PANEL_ROWS;
  const std::size_t block = ggml_type_size(type);
  assert(rows.size() == panels.size() && rows.size() % panel_bytes == 0);
  const auto count = static_cast<int>(rows.size() / panel_bytes);
  for_each_index(count, threads, [&](int index) {
    const std::size_t first = panel_bytes * static_cast<std::size_t>(index);
    for (std::size_t from = 0; from < row_bytes; from += block) {
      lay_out_block(type, rows.data() + first + from, row_bytes,
                    panels.data() + first + from * PANEL_ROWS);
    }
  });
}

}  // namespace litestage
