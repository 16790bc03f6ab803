#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace litestage {

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

/// The digest of some bytes.
std::string sha256_hex(std::string_view bytes);

}  // namespace litestage
