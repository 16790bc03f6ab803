#include "fetch/model_place.h"

#include <algorithm>
#include <system_error>

#include "base/file_endings.h"
#include "fetch/hub_cache.h"
#include "fetch/transfer.h"
#include "litestage/error.h"
#include "litestage/model_store.h"

namespace litestage {

std::filesystem::path models_folder() {
  using fetch::environment;
  if (const std::string path = environment("LITESTAGE_CACHE"); !path.empty())
    return std::filesystem::absolute(path) / "models";
  if (const std::string path = environment("XDG_CACHE_HOME"); !path.empty())
    return std::filesystem::absolute(path) / "litestage/models";
  const std::string home = environment("HOME");
  if (home.empty())
    throw UserError("HOME", "is not set, so there is no place for models",
                    "set LITESTAGE_CACHE to a folder");
  return std::filesystem::absolute(home) / ".cache/litestage/models";
}

namespace fetch {
namespace {

using Path = std::filesystem::path;

/// Models below a folder: not the previews of heads that `litestage head` puts beside them.
std::vector<Path> gguf_files_below(const Path& folder) {
  std::vector<Path> files;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(folder, error);
  for (const std::filesystem::recursive_directory_iterator end; !error && entry != end;
       entry.increment(error)) {
    std::error_code broken_link;
    const bool is_preview = entry->path().string().ends_with(HEAD_PREVIEW_ENDING);
    if (entry->path().extension() == ".gguf" && !is_preview &&
        std::filesystem::is_regular_file(entry->path(), broken_link))
      files.push_back(entry->path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

std::vector<Path> catalogue_model_places(const CatalogueModel& model) {
  std::vector<Path> places;
  std::error_code error;
  const Path own = models_folder() / model.file;
  if (std::filesystem::file_size(own, error) == model.bytes && !error) places.push_back(own);
  for (const auto& source : model.sources)
    if (const auto* hub = std::get_if<HubSource>(&source))
      if (const auto path = find_in_hub_caches(hub->repository, hub->file, model.bytes))
        places.push_back(*path);
  return places;
}

Path hub_model_folder(const std::string& repository) {
  return models_folder() / repository;
}

std::optional<Path> find_hub_model(const HubReference& reference) {
  const auto files = gguf_files_below(hub_model_folder(reference.repository));
  std::vector<std::string> names;
  std::ranges::transform(files, std::back_inserter(names),
                         [](const Path& p) { return p.string(); });
  if (const auto index = choose_file(names, reference.quantisation)) return files[*index];
  return find_in_hub_caches(reference);
}

std::vector<Path> files_in_models_folder() {
  return gguf_files_below(models_folder());
}

std::string reference_to(const Path& path) {
  const Path relative = path.lexically_relative(models_folder());
  const std::vector<Path> names(relative.begin(), relative.end());
  const std::string quantisation = quantisation_of(path.filename().string());
  if (names.size() < 3 || quantisation.empty()) return path.string();
  return "hf:" + names[0].string() + "/" + names[1].string() + ":" + quantisation;
}

}  // namespace fetch
}  // namespace litestage
