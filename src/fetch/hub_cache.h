#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "fetch/hub.h"

namespace litestage::fetch {

/// A model that another program of this machine took from the hub: looks into LLAMA_CACHE,
/// HF_HUB_CACHE, HF_HOME/hub and the places that stand for them when they are not set. These files
/// are used, never changed.
std::optional<std::filesystem::path> find_in_hub_caches(const HubReference& reference);

/// The same for one file of a repository, of known length.
std::optional<std::filesystem::path> find_in_hub_caches(const std::string& repository,
                                                        const std::string& file,
                                                        std::uint64_t bytes);

}  // namespace litestage::fetch
