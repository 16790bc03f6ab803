#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace litestage::fetch {

/// A file of a repository on the model hub.
struct HubSource {
  std::string repository;  ///< USER/REPO
  std::string file;
};

/// A file cut into parts, each a member of a Python package's wheel.
struct PackageSource {
  std::string package;  ///< `{n}` stands for the part's number, from 1
  std::string version;
  std::uint64_t parts = 0;
  std::uint64_t part_bytes = 0;  ///< of every part but the last
  std::string member;            ///< pattern of the part's path in the wheel, as a shell reads it
};

using CatalogueSource = std::variant<HubSource, PackageSource>;

struct CatalogueModel {
  std::string name;
  std::string architecture;
  std::uint64_t parameters = 0;
  std::string quantisation;
  std::string file;
  std::uint64_t bytes = 0;
  std::string sha256;
  std::string licence;
  std::vector<CatalogueSource> sources;  ///< in the order they are tried
};

/// @throws UserError naming file, line or key when it is no catalogue
std::vector<CatalogueModel> read_catalogue(const std::filesystem::path& path);

/// $LITESTAGE_CATALOGUE; else the one beside the running program (../share/litestage), in the
/// source tree the library was built from, or in the folder it was installed to.
std::filesystem::path catalogue_path();

}  // namespace litestage::fetch
