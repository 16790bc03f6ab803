#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace litestage::test {

/// One number or string in a GGUF header.
struct GgufField {
  enum class Kind : std::uint8_t {
    magic,
    version,
    count,
    length,
    text,
    type,
    value,
    dimension,
    offset
  };
  Kind kind = Kind::value;
  std::string what;      ///< e.g. "llama.block_count: value"
  std::size_t at = 0;    ///< offset in the file, bytes
  std::size_t size = 0;  ///< bytes
};

/// All fields of a valid file's header, in order. @throws std::out_of_range when it is none
std::vector<GgufField> gguf_fields(std::span<const std::uint8_t> file);

}  // namespace litestage::test
