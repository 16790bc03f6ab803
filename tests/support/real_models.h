#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace litestage::test {

/// Where a real model of this file name lies: in LITESTAGE_MODELS_DIR, or in the models folder of
/// the program's own cache. The small model may also be named whole by LITESTAGE_TEST_MODEL.
std::optional<std::filesystem::path> find_real_model(std::string_view file_name);

/// The model that every run of the suites named Real needs.
inline constexpr std::string_view SMALL_MODEL = "SmolLM2-135M-Instruct-Q4_1.gguf";

/// Whether a missing small model is a failure instead of a reason to skip.
bool real_models_are_required();

}  // namespace litestage::test
