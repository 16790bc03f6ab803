#include "support/real_models.h"

#include <cstdlib>
#include <string>

namespace litestage::test {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::filesystem::path models_folder() {
  if (const std::string folder = environment("LITESTAGE_MODELS_DIR"); !folder.empty())
    return folder;
  if (const std::string cache = environment("LITESTAGE_CACHE"); !cache.empty()) {
    return std::filesystem::path(cache) / "models";
  }
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty()) {
    return std::filesystem::path(cache) / "litestage" / "models";
  }
  return std::filesystem::path(environment("HOME")) / ".cache" / "litestage" / "models";
}

}  // namespace

std::optional<std::filesystem::path> find_real_model(std::string_view file_name) {
  if (file_name == SMALL_MODEL) {
    if (const std::string named = environment("LITESTAGE_TEST_MODEL"); !named.empty()) return named;
  }
  const std::filesystem::path file = models_folder() / file_name;
  if (std::filesystem::exists(file)) return file;
  return std::nullopt;
}

bool real_models_are_required() {
  const std::string ci = environment("CI");
  return ci == "1" || ci == "true";
}

}  // namespace litestage::test
