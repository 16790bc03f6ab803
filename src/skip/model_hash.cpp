#include <algorithm>
#include <fstream>
#include <vector>

#include <fmt/format.h>

#include "base/sha256.h"
#include "litestage/model.h"
#include "litestage/plan.h"
#include "model/gguf_file.h"

namespace litestage {
namespace {

/// Hashes parts of a model's file.
class PartHasher {
 public:
  explicit PartHasher(const GgufFile& file) : file_(file), stream_(file.path(), std::ios::binary) {}

  void add_text(const std::string& text) { sha_.update(std::as_bytes(std::span(text))); }

  void add_part(std::size_t offset, std::size_t size) {
    buffer_.resize(size);
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(buffer_.data(), static_cast<std::streamsize>(size));
    if (!stream_) {
      file_.fail(fmt::format("cannot be read at byte {}", offset),
                 "check that the file is still there and whole");
    }
    sha_.update(std::as_bytes(std::span(buffer_)));
  }

  std::string finish() { return sha_.finish(); }

 private:
  const GgufFile& file_;
  std::ifstream stream_;
  Sha256 sha_;
  std::vector<char> buffer_;
};

}  // namespace

std::string model_hash(const Model& model) {
  constexpr std::size_t PART = 4096;  // bytes of each tensor
  const GgufFile file(model.path());
  PartHasher hasher(file);
  hasher.add_text(fmt::format("{}:", file.file_size()));
  // All that stands before the data: keys, values, and each tensor's name, shape, type and place.
  const std::size_t data = gguf_get_data_offset(file.header());
  hasher.add_part(0, data);
  for (std::int64_t id = 0; id < gguf_get_n_tensors(file.header()); ++id) {
    const std::size_t size = gguf_get_tensor_size(file.header(), id);
    hasher.add_part(data + gguf_get_tensor_offset(file.header(), id), std::min(size, PART));
  }
  return hasher.finish();
}

}  // namespace litestage
