#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "fetch/transfer.h"

struct evp_md_ctx_st;

namespace litestage::fetch {

/// SHA-256 of bytes as they come.
class Sha256 {
 public:
  Sha256();

  void update(std::span<const std::byte> bytes);
  /// The digest in lower-case hexadecimal; the object starts anew.
  std::string finish();
  void restart();

 private:
  struct Deleter {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Deleter> context_;
};

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
