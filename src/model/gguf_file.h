#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ggml-cpp.h>

namespace litestage {

/// How a damaged file is mended, at the end of a sentence about it.
inline constexpr const char* GET_AGAIN = "get the file again";

/// One tensor of a GGUF file, not yet read.
struct GgufTensor {
  std::int64_t id = 0;  ///< in the header
  ggml_type type = GGML_TYPE_F32;
  std::array<std::int64_t, 4> shape{};
  std::size_t offset = 0;  ///< in the file, bytes
  std::size_t bytes = 0;

  /// Whether it is a matrix of so many columns and rows; a vector has one row.
  bool is(std::int64_t columns, std::int64_t rows) const {
    return shape == std::array<std::int64_t, 4>{columns, rows, 1, 1};
  }
};

/// The header of a GGUF file: keys, and what tensors there are. Every getter checks the type, so
/// that a damaged or hostile file ends in a UserError that names the key.
class GgufFile {
 public:
  /// Reads the header alone; no tensor data.
  /// @throws UserError when the file is missing, empty, not GGUF, truncated or damaged
  explicit GgufFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const gguf_context* header() const { return header_.get(); }
  std::size_t file_size() const { return file_size_; }
  bool has(std::string_view key) const;

  /// @throws UserError when the key is missing or is no integer between `low` and `high`
  std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high) const;
  /// The same, or `fallback` when the key is missing.
  std::int64_t integer_or(std::string_view key, std::int64_t fallback, std::int64_t low,
                          std::int64_t high) const;
  /// @throws UserError when missing or no finite number
  float number(std::string_view key) const;
  float number_or(std::string_view key, float fallback) const;
  bool flag_or(std::string_view key, bool fallback) const;
  std::string text(std::string_view key) const;
  std::string text_or(std::string_view key, std::string_view fallback) const;
  /// An array of booleans, or nothing when the key is missing or holds a single value.
  std::optional<std::vector<bool>> flags(std::string_view key) const;
  bool is_array(std::string_view key) const;

  /// A tensor's description and where it lies in the file; nothing when there is none of that name.
  /// @throws UserError when the file ends before the tensor does
  std::optional<GgufTensor> tensor(const std::string& name) const;

  /// Checks everything libllama reads of the vocabulary, which it would partly abort on.
  /// @throws UserError
  void check_vocabulary() const;
  /// Checks that no token stands twice, which takes a while. @throws UserError
  void check_tokens_differ() const;
  std::size_t token_count() const;

  /// An error about this file.
  [[noreturn]] void fail(const std::string& what, const std::string& remedy = {}) const;

 private:
  std::int64_t find(std::string_view key) const;

  std::filesystem::path path_;
  std::size_t file_size_ = 0;
  gguf_context_ptr header_;
};

}  // namespace litestage
