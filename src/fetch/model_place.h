#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fetch/catalogue.h"
#include "fetch/hub.h"

namespace litestage::fetch {

/// Files that can be a catalogue's model (name and length fit), ours first, then other programs'.
std::vector<std::filesystem::path> catalogue_model_places(const CatalogueModel& model);

/// Where files of a hub repository go: models/USER/REPO.
std::filesystem::path hub_model_folder(const std::string& repository);

/// A downloaded file that fits the reference, ours first, then other programs'.
std::optional<std::filesystem::path> find_hub_model(const HubReference& reference);

/// Every whole GGUF file below the models folder, sorted.
std::vector<std::filesystem::path> files_in_models_folder();

/// How to name such a file to `resolve_model`: hf:USER/REPO:QUANT, or its path.
std::string reference_to(const std::filesystem::path& path);

}  // namespace litestage::fetch
