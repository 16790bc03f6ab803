#pragma once

#include <filesystem>
#include <span>

#include <ggml-cpp.h>

#include "litestage/head_preview.h"

namespace litestage {

/// Names of the file's keys and tensors.
namespace head_file {
inline constexpr const char* KIND = "head-preview";  // general.type
inline constexpr const char* MODEL_HASH = "litestage.head.model_hash";
inline constexpr const char* ROTATED = "litestage.head.rotated";
inline constexpr const char* PROPOSALS = "litestage.head.proposals";
inline constexpr const char* MARGIN = "litestage.head.margin";
inline constexpr const char* LEARNED_TOKENS = "litestage.head.learned_tokens";
inline constexpr const char* CHECKED_TOKENS = "litestage.head.checked_tokens";
inline constexpr const char* MISSED = "litestage.head.missed";
inline constexpr const char* FULL = "litestage.head.full";
inline constexpr const char* PROJECTION = "head.projection.weight";
inline constexpr const char* MATRIX = "head.preview.weight";
}  // namespace head_file

/// What a preview's file holds: floats and bytes as they go into its tensors.
struct HeadFileData {
  HeadPreviewInfo info;
  std::int64_t n_embd = 0;
  std::int64_t n_vocab = 0;
  std::span<const float> projection;  ///< [rank][n_embd]; empty when not rotated
  ggml_type type = GGML_TYPE_Q4_0;    ///< of the matrix
  std::span<const std::byte> matrix;  ///< [n_vocab][rank] in that type
};

/// Writes the file whole or not at all.
/// @throws UserError when it cannot be written
void write_head_file(const HeadFileData& data, const std::filesystem::path& path);

}  // namespace litestage
