#include "support/gguf_fields.h"

#include <gguf.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace litestage::test {
namespace {

using Kind = GgufField::Kind;

class Walker {
 public:
  explicit Walker(std::span<const std::uint8_t> file) : file_(file) {}

  std::vector<GgufField> walk() {
    number(Kind::magic, "magic", 4);
    number(Kind::version, "version", 4);
    const std::uint64_t tensors = number(Kind::count, "tensor count", 8);
    const std::uint64_t pairs = number(Kind::count, "key count", 8);
    for (std::uint64_t i = 0; i < pairs; ++i)
      pair();
    for (std::uint64_t i = 0; i < tensors; ++i)
      tensor();
    return std::move(fields_);
  }

 private:
  std::uint64_t number(Kind kind, std::string what, std::size_t size) {
    if (size > file_.size() - at_) throw std::out_of_range(what);
    std::uint64_t value = 0;
    std::memcpy(&value, file_.data() + at_, std::min(size, sizeof value));
    fields_.push_back({kind, std::move(what), at_, size});
    at_ += size;
    return value;
  }

  std::string text(const std::string& what) {
    const std::uint64_t length = number(Kind::length, what + ": length", 8);
    if (length > file_.size() - at_) throw std::out_of_range(what);
    std::string value(reinterpret_cast<const char*>(file_.data() + at_), length);
    if (length != 0) number(Kind::text, what + ": text", length);
    return value;
  }

  void value(std::uint64_t type, const std::string& what) {
    switch (type) {
      case GGUF_TYPE_UINT8:
      case GGUF_TYPE_INT8:
      case GGUF_TYPE_BOOL:
        number(Kind::value, what, 1);
        break;
      case GGUF_TYPE_UINT16:
      case GGUF_TYPE_INT16:
        number(Kind::value, what, 2);
        break;
      case GGUF_TYPE_UINT32:
      case GGUF_TYPE_INT32:
      case GGUF_TYPE_FLOAT32:
        number(Kind::value, what, 4);
        break;
      case GGUF_TYPE_UINT64:
      case GGUF_TYPE_INT64:
      case GGUF_TYPE_FLOAT64:
        number(Kind::value, what, 8);
        break;
      case GGUF_TYPE_STRING:
        text(what);
        break;
      default:
        throw std::out_of_range(what);
    }
  }

  void pair() {
    const std::string key = text("key");
    const std::uint64_t type = number(Kind::type, key + ": type", 4);
    if (type != GGUF_TYPE_ARRAY) {
      value(type, key + ": value");
      return;
    }
    const std::uint64_t element_type = number(Kind::type, key + ": element type", 4);
    const std::uint64_t count = number(Kind::count, key + ": count", 8);
    for (std::uint64_t i = 0; i < count; ++i)
      value(element_type, key + ": element");
  }

  void tensor() {
    const std::string name = text("tensor name");
    const std::uint64_t dimensions = number(Kind::count, name + ": dimensions", 4);
    for (std::uint64_t i = 0; i < dimensions; ++i)
      number(Kind::dimension, name + ": dimension", 8);
    number(Kind::type, name + ": type", 4);
    number(Kind::offset, name + ": offset", 8);
  }

  std::span<const std::uint8_t> file_;
  std::size_t at_ = 0;
  std::vector<GgufField> fields_;
};

}  // namespace

std::vector<GgufField> gguf_fields(std::span<const std::uint8_t> file) {
  return Walker(file).walk();
}

}  // namespace litestage::test
