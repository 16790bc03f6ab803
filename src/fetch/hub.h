#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/download.h"

namespace litestage::fetch {

/// USER/REPO[:QUANT], as `-hf` takes it.
struct HubReference {
  std::string repository;
  std::string quantisation;  ///< empty: Q4_K_M, else Q8_0, else the first file
};

/// @throws UserError when the text is no such reference
HubReference parse_hub_reference(std::string_view text);

struct HubFile {
  std::string path;  ///< in the repository
  std::uint64_t bytes = 0;
  std::string sha256;  ///< empty when the hub does not say
};

/// The GGUF files in a hub's answer to a request for the tree of a repository.
/// @throws SourceFailure when it is no such answer
std::vector<HubFile> parse_hub_listing(const std::string& text);

/// The file of a quantisation.
/// @param files paths or names, of which one is chosen
/// @return index into files; nothing when none fits
std::optional<std::size_t> choose_file(const std::vector<std::string>& files,
                                       const std::string& quantisation);

/// The quantisation in a file's name, upper-case, or empty: `model-q4_k_m.gguf` is Q4_K_M.
std::string quantisation_of(std::string_view file);

/// Asks the hub which file to take; nothing when `go_on` said no.
/// @throws SourceFailure
std::optional<HubFile> find_hub_file(const HubReference& reference,
                                     const std::function<bool()>& go_on);

/// The request for a file's content.
HttpRequest hub_file_request(const std::string& repository, const std::string& file);

}  // namespace litestage::fetch
