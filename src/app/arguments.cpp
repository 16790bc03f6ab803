#include "app/arguments.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace litestage::app {
namespace {

// Long names as llama.cpp has them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> LONG_NAMES = {{
    {"-hf", "--hf-repo"},
    {"-ngl", "--gpu-layers"},
    {"-ctk", "--cache-type-k"},
    {"-ctv", "--cache-type-v"},
    {"-ub", "--ubatch-size"},
    {"-fa", "--flash-attn"},
    {"-np", "--parallel"},
}};

constexpr std::string_view STAGE_MASK = "--mask-";

/// `--mask-STAGE MASK` to `--stage-mask STAGE=MASK`: which stages there are, the parser does not
/// know.
void join_stage_mask(std::string& flag, std::string* value) {
  const std::string stage = flag.substr(STAGE_MASK.size());
  if (stage.find('=') != std::string::npos) {
    flag = "--stage-mask=" + stage;
  } else if (value != nullptr) {
    flag = "--stage-mask";
    *value = stage + "=" + *value;
  }
}

}  // namespace

std::vector<std::string> normalise_arguments(int argc, const char* const* argv) {
  std::vector<std::string> result(argv + std::min(argc, 1), argv + argc);
  const auto end = std::ranges::find(result, "--");
  for (auto word = result.begin(); word != end; ++word) {
    if (word->starts_with(STAGE_MASK) && word->size() > STAGE_MASK.size()) {
      join_stage_mask(*word, word + 1 == end ? nullptr : &*(word + 1));
      continue;
    }
    const auto equals = std::min(word->find('='), word->size());
    const std::string_view flag = std::string_view(*word).substr(0, equals);
    const auto found =
        std::ranges::find(LONG_NAMES, flag, [](const auto& pair) { return pair.first; });
    if (found != LONG_NAMES.end()) word->replace(0, equals, found->second);
  }
  return result;
}

}  // namespace litestage::app
