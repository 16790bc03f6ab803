#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/sha256.h"
#include "fetch/transfer.h"

namespace litestage::fetch {

/// Feeds the first `count` bytes of an open file to `sha`.
/// @return false when `progress` said stop
/// @throws UserError naming `path` when the file cannot be read or is shorter
bool hash_file(int descriptor, const std::filesystem::path& path, std::uint64_t count, Sha256& sha,
               const ByteProgress& progress);

/// The digest of a whole file; nothing when `progress` said stop.
/// @throws UserError when it cannot be read
std::optional<std::string> sha256_of(const std::filesystem::path& path,
                                     const ByteProgress& progress);

}  // namespace litestage::fetch
