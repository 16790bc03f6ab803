#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "litestage/sublayer_mask.h"
#include "model/families/family.h"

namespace litestage {

std::span<const Family* const> families() {
  static constexpr std::array<const Family*, 8> ALL = {&GEMMA3, &GRANITE, &LLAMA, &OLMO2,
                                                       &PHI3,   &QWEN2,   &QWEN3, &SMOLLM3};
  return ALL;
}

void read_window(const GgufFile& file, ModelConfig& config, int fallback) {
  const std::string prefix = std::string(config.family->architecture) + ".attention.sliding_window";
  config.window = static_cast<int>(file.integer_or(prefix, 0, 0, INT32_MAX));
  if (config.window == 0) return;
  const std::string pattern_key = prefix + "_pattern";
  if (const auto flags = file.flags(pattern_key)) {
    if (flags->size() < config.is_windowed.size()) {
      file.fail(fmt::format("key {} has {} entries for {} layers", pattern_key, flags->size(),
                            config.n_layers));
    }
    std::copy_n(flags->begin(), config.is_windowed.size(), config.is_windowed.begin());
    return;
  }
  const auto pattern = static_cast<int>(file.integer_or(pattern_key, fallback, 0, MAX_LAYERS));
  for (int layer = 0; layer < config.n_layers; ++layer) {
    config.is_windowed[static_cast<std::size_t>(layer)] =
        pattern == 0 || layer % pattern < pattern - 1;
  }
}

}  // namespace litestage
