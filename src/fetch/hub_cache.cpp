#include "fetch/hub_cache.h"

#include <algorithm>
#include <fstream>
#include <system_error>
#include <vector>

#include "fetch/transfer.h"

namespace litestage::fetch {
namespace {

using Path = std::filesystem::path;

struct CachedFile {
  std::string name;  // in the repository
  Path path;
};

Path user_cache() {
  if (std::string path = environment("XDG_CACHE_HOME"); !path.empty()) return path;
  const std::string home = environment("HOME");
  return home.empty() ? Path() : Path(home) / ".cache";
}

/// Folders of the layout models--USER--REPO/snapshots/REVISION/FILE.
std::vector<Path> snapshot_caches() {
  std::vector<Path> folders;
  for (const char* name : {"LLAMA_CACHE", "HF_HUB_CACHE"})
    if (const std::string path = environment(name); !path.empty()) folders.emplace_back(path);
  if (const std::string home = environment("HF_HOME"); !home.empty())
    folders.push_back(Path(home) / "hub");
  if (const Path cache = user_cache(); !cache.empty()) folders.push_back(cache / "huggingface/hub");
  return folders;
}

/// Folders of the layout USER_REPO_FILE.
std::vector<Path> flat_caches() {
  std::vector<Path> folders;
  if (const std::string path = environment("LLAMA_CACHE"); !path.empty())
    folders.emplace_back(path);
  if (const Path cache = user_cache(); !cache.empty()) folders.push_back(cache / "llama.cpp");
  return folders;
}

std::vector<Path> entries(const Path& folder) {
  std::vector<Path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error))
    found.push_back(entry->path());
  std::ranges::sort(found);
  return found;
}

std::string replaced(std::string text, const std::string& with) {
  for (auto at = text.find('/'); at != std::string::npos; at = text.find('/', at + with.size()))
    text.replace(at, 1, with);
  return text;
}

void add_snapshot(const Path& snapshot, std::vector<CachedFile>& files) {
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(snapshot, error);
  std::vector<CachedFile> found;
  for (const std::filesystem::recursive_directory_iterator end; !error && entry != end;
       entry.increment(error)) {
    std::error_code broken_link;
    if (std::filesystem::is_regular_file(entry->path(), broken_link))
      found.push_back({entry->path().lexically_relative(snapshot).generic_string(), entry->path()});
  }
  std::ranges::sort(found, {}, &CachedFile::name);
  files.insert(files.end(), found.begin(), found.end());
}

/// Every cached file of a repository, the main revision's first.
std::vector<CachedFile> cached_files(const std::string& repository) {
  std::vector<CachedFile> files;
  for (const Path& cache : snapshot_caches()) {
    const Path folder = cache / ("models--" + replaced(repository, "--"));
    std::string main;
    std::ifstream(folder / "refs/main") >> main;
    auto snapshots = entries(folder / "snapshots");
    std::stable_partition(snapshots.begin(), snapshots.end(),
                          [&](const Path& path) { return path.filename() == main; });
    for (const Path& snapshot : snapshots)
      add_snapshot(snapshot, files);
  }
  const std::string prefix = replaced(repository, "_") + "_";
  for (const Path& cache : flat_caches())
    for (const Path& path : entries(cache))
      if (const std::string name = path.filename().string(); name.starts_with(prefix))
        files.push_back({name.substr(prefix.size()), path});
  return files;
}

}  // namespace

std::optional<Path> find_in_hub_caches(const HubReference& reference) {
  const auto files = cached_files(reference.repository);
  std::vector<std::string> names;
  std::ranges::transform(files, std::back_inserter(names), &CachedFile::name);
  const auto index = choose_file(names, reference.quantisation);
  if (!index) return {};
  return files[*index].path;
}

std::optional<Path> find_in_hub_caches(const std::string& repository, const std::string& file,
                                       std::uint64_t bytes) {
  const std::string flat_name = replaced(file, "_");
  for (const CachedFile& cached : cached_files(repository)) {
    std::error_code error;
    if ((cached.name == file || cached.name == flat_name) &&
        std::filesystem::file_size(cached.path, error) == bytes && !error)
      return cached.path;
  }
  return {};
}

}  // namespace litestage::fetch
