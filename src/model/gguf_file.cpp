#include "model/gguf_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <system_error>
#include <unordered_set>

#include <fmt/format.h>

#include "litestage/error.h"

namespace litestage {
namespace {

bool is_printable(char c) {
  return c >= ' ' && c <= '~';
}

/// What the first bytes of a file that is no GGUF look like, for the error.
std::string describe_start(std::string_view start) {
  std::string text;
  for (const char c : start)
    text += is_printable(c) ? c : '.';
  return text;
}

}  // namespace

GgufFile::GgufFile(const std::filesystem::path& path) : path_(path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (error || status.type() == std::filesystem::file_type::not_found) {
    fail("there is no such file",
         "give the path of a GGUF file, or a name that `litestage models` lists");
  }
  if (status.type() != std::filesystem::file_type::regular)
    fail("is not a file", "give the path of a GGUF file");
  file_size_ = std::filesystem::file_size(path, error);
  if (error) fail("its size cannot be read: " + error.message());
  if (file_size_ == 0) fail("is empty", GET_AGAIN);

  std::ifstream stream(path, std::ios::binary);
  if (!stream) fail("cannot be opened", "check its permissions");
  std::array<char, 4> magic{};
  stream.read(magic.data(), magic.size());
  const std::string_view start(magic.data(), static_cast<std::size_t>(stream.gcount()));
  if (start != "GGUF") {
    fail(fmt::format("is not a GGUF file: it starts with \"{}\"", describe_start(start)),
         "litestage reads models in the GGUF format of llama.cpp");
  }
  stream.close();

  header_.reset(gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = nullptr}));
  if (!header_)
    fail("its header is truncated, damaged, or of a GGUF version that ggml does not read",
         GET_AGAIN);
}

std::optional<GgufTensor> GgufFile::tensor(const std::string& name) const {
  const std::int64_t id = gguf_find_tensor(header_.get(), name.c_str());
  if (id < 0) return std::nullopt;
  GgufTensor tensor;
  tensor.id = id;
  tensor.type = gguf_get_tensor_type(header_.get(), id);
  std::copy_n(gguf_get_tensor_ne(header_.get(), id), tensor.shape.size(), tensor.shape.begin());
  tensor.offset = gguf_get_data_offset(header_.get()) + gguf_get_tensor_offset(header_.get(), id);
  tensor.bytes = gguf_get_tensor_size(header_.get(), id);
  if (tensor.offset > file_size_ || tensor.bytes > file_size_ - tensor.offset) {
    fail(fmt::format("is truncated: tensor {} ends at byte {}, the file at {}", name,
                     tensor.offset + tensor.bytes, file_size_),
         GET_AGAIN);
  }
  return tensor;
}

void GgufFile::fail(const std::string& what, const std::string& remedy) const {
  throw UserError(path_.string(), what, remedy);
}

std::int64_t GgufFile::find(std::string_view key) const {
  return gguf_find_key(header_.get(), std::string(key).c_str());
}

bool GgufFile::has(std::string_view key) const {
  return find(key) >= 0;
}

bool GgufFile::is_array(std::string_view key) const {
  const std::int64_t id = find(key);
  return id >= 0 && gguf_get_kv_type(header_.get(), id) == GGUF_TYPE_ARRAY;
}

std::int64_t GgufFile::integer(std::string_view key, std::int64_t low, std::int64_t high) const {
  const std::int64_t id = find(key);
  if (id < 0) fail(fmt::format("key {} is missing", key), GET_AGAIN);
  std::int64_t value = 0;
  switch (gguf_get_kv_type(header_.get(), id)) {
    case GGUF_TYPE_UINT8:
      value = gguf_get_val_u8(header_.get(), id);
      break;
    case GGUF_TYPE_INT8:
      value = std::int64_t{gguf_get_val_i8(header_.get(), id)};
      break;
    case GGUF_TYPE_UINT16:
      value = gguf_get_val_u16(header_.get(), id);
      break;
    case GGUF_TYPE_INT16:
      value = gguf_get_val_i16(header_.get(), id);
      break;
    case GGUF_TYPE_UINT32:
      value = gguf_get_val_u32(header_.get(), id);
      break;
    case GGUF_TYPE_INT32:
      value = gguf_get_val_i32(header_.get(), id);
      break;
    case GGUF_TYPE_INT64:
      value = gguf_get_val_i64(header_.get(), id);
      break;
    case GGUF_TYPE_UINT64: {
      const std::uint64_t wide = gguf_get_val_u64(header_.get(), id);
      constexpr auto LIMIT = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      value = static_cast<std::int64_t>(wide > LIMIT ? LIMIT : wide);
      break;
    }
    default:
      fail(fmt::format("key {} is {}, but one integer is expected", key,
                       gguf_type_name(gguf_get_kv_type(header_.get(), id))));
  }
  if (value < low || value > high) {
    fail(fmt::format("key {} is {}, but {} to {} is expected", key, value, low, high), GET_AGAIN);
  }
  return value;
}

std::int64_t GgufFile::integer_or(std::string_view key, std::int64_t fallback, std::int64_t low,
                                  std::int64_t high) const {
  return has(key) ? integer(key, low, high) : fallback;
}

float GgufFile::number(std::string_view key) const {
  const std::int64_t id = find(key);
  if (id < 0) fail(fmt::format("key {} is missing", key), GET_AGAIN);
  const gguf_type type = gguf_get_kv_type(header_.get(), id);
  if (type != GGUF_TYPE_FLOAT32)
    fail(fmt::format("key {} is {}, but f32 is expected", key, gguf_type_name(type)));
  const float value = gguf_get_val_f32(header_.get(), id);
  if (!std::isfinite(value)) fail(fmt::format("key {} is not a finite number", key), GET_AGAIN);
  return value;
}

float GgufFile::number_or(std::string_view key, float fallback) const {
  return has(key) ? number(key) : fallback;
}

bool GgufFile::flag_or(std::string_view key, bool fallback) const {
  const std::int64_t id = find(key);
  if (id < 0) return fallback;
  const gguf_type type = gguf_get_kv_type(header_.get(), id);
  if (type != GGUF_TYPE_BOOL)
    fail(fmt::format("key {} is {}, but bool is expected", key, gguf_type_name(type)));
  return gguf_get_val_bool(header_.get(), id);
}

std::string GgufFile::text(std::string_view key) const {
  const std::int64_t id = find(key);
  if (id < 0) fail(fmt::format("key {} is missing", key), GET_AGAIN);
  const gguf_type type = gguf_get_kv_type(header_.get(), id);
  if (type != GGUF_TYPE_STRING)
    fail(fmt::format("key {} is {}, but text is expected", key, gguf_type_name(type)));
  return gguf_get_val_str(header_.get(), id);
}

std::string GgufFile::text_or(std::string_view key, std::string_view fallback) const {
  return has(key) ? text(key) : std::string(fallback);
}

std::optional<std::vector<bool>> GgufFile::flags(std::string_view key) const {
  if (!is_array(key)) return std::nullopt;
  const std::int64_t id = find(key);
  if (gguf_get_arr_type(header_.get(), id) != GGUF_TYPE_BOOL) {
    fail(fmt::format("key {} is an array of {}, but bool is expected", key,
                     gguf_type_name(gguf_get_arr_type(header_.get(), id))));
  }
  const auto* data = static_cast<const std::int8_t*>(gguf_get_arr_data(header_.get(), id));
  std::vector<bool> values(gguf_get_arr_n(header_.get(), id));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = data[i] != 0;
  return values;
}

std::size_t GgufFile::token_count() const {
  const std::int64_t id = find("tokenizer.ggml.tokens");
  if (id < 0 || !is_array("tokenizer.ggml.tokens")) return 0;
  return gguf_get_arr_n(header_.get(), id);
}

}  // namespace litestage
