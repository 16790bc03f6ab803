#include "base/json_field.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "litestage/error.h"

namespace litestage {
namespace {

constexpr std::size_t LONGEST_WORD = 64;  // of a key that is quoted

bool is_plain_word(std::string_view key) {
  return !key.empty() && key.size() <= LONGEST_WORD &&
         std::ranges::all_of(key, [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

std::string joined(const std::string& path, std::string_view key) {
  const std::string step = json_path_step(key);
  return path.empty() && step.starts_with('.') ? step.substr(1) : path + step;
}

}  // namespace

std::string json_path_step(std::string_view key) {
  if (is_plain_word(key)) return fmt::format(".{}", key);
  const std::string start(key.substr(0, LONGEST_WORD));
  const std::string quoted =
      nlohmann::json(start).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return fmt::format("[{}{}]", quoted, start.size() < key.size() ? "..." : "");
}

JsonField::JsonField(const nlohmann::json& value, std::string file)
    : JsonField(value, std::move(file), "") {}

JsonField::JsonField(const nlohmann::json& value, std::string file, std::string path)
    : value_(&value), file_(std::move(file)), path_(std::move(path)) {}

std::string JsonField::where() const {
  return path_.empty() ? file_ : file_ + ": " + path_;
}

void JsonField::fail(const std::string& what, const std::string& remedy) const {
  throw UserError(where(), what, remedy);
}

void JsonField::fail_type(std::string_view expected) const {
  fail(fmt::format("must be {}, but is {}", expected,
                   value_->is_object()    ? "an object"
                   : value_->is_array()   ? "a list"
                   : value_->is_string()  ? "a text"
                   : value_->is_boolean() ? "true or false"
                   : value_->is_number()  ? value_->dump()
                                          : "null"));
}

void JsonField::expect_keys(std::initializer_list<std::string_view> keys,
                            std::initializer_list<std::string_view> optional) const {
  if (!value_->is_object()) fail_type("an object");
  std::vector<std::string_view> known(keys);
  known.insert(known.end(), optional.begin(), optional.end());
  for (const auto& [key, value] : value_->items()) {
    if (std::ranges::find(known, std::string_view(key)) == known.end()) {
      JsonField(value, file_, joined(path_, key))
          .fail("there is no such key", fmt::format("known here are {}", fmt::join(known, ", ")));
    }
  }
  for (const std::string_view key : optional) {
    const auto found = value_->find(std::string(key));
    if (found != value_->end() && found->is_null())
      JsonField(*value_, file_, joined(path_, key)).fail("is null", "leave the key out");
  }
  for (const std::string_view key : keys)
    member(key);
}

JsonField JsonField::member(std::string_view key) const {
  if (!value_->is_object()) fail_type("an object");
  const auto found = value_->find(std::string(key));
  const std::string path = joined(path_, key);
  if (found == value_->end()) JsonField(*value_, file_, path).fail("is missing");
  return {*found, file_, path};
}

std::optional<JsonField> JsonField::optional_member(std::string_view key) const {
  if (!value_->is_object()) fail_type("an object");
  const auto found = value_->find(std::string(key));
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return JsonField(*found, file_, joined(path_, key));
}

std::vector<std::pair<std::string, JsonField>> JsonField::members() const {
  if (!value_->is_object()) fail_type("an object");
  std::vector<std::pair<std::string, JsonField>> all;
  for (const auto& [key, value] : value_->items())
    all.emplace_back(key, JsonField(value, file_, joined(path_, key)));
  return all;
}

std::vector<JsonField> JsonField::elements() const {
  if (!value_->is_array()) fail_type("a list");
  std::vector<JsonField> all;
  for (std::size_t i = 0; i < value_->size(); ++i)
    all.push_back(JsonField((*value_)[i], file_, fmt::format("{}[{}]", path_, i)));
  return all;
}

bool JsonField::is_null() const {
  return value_->is_null();
}

bool JsonField::is_object() const {
  return value_->is_object();
}

bool JsonField::is_number() const {
  return value_->is_number();
}

bool JsonField::is_text() const {
  return value_->is_string();
}

bool JsonField::is_list() const {
  return value_->is_array();
}

std::size_t JsonField::size() const {
  if (!value_->is_array()) fail_type("a list");
  return value_->size();
}

std::string JsonField::text() const {
  std::string text = raw_text();
  if (displayable(text) != text) fail("has control characters", "take them out");
  return text;
}

std::string JsonField::raw_text() const {
  if (!value_->is_string()) fail_type("a text");
  return value_->get<std::string>();
}

std::int64_t JsonField::integer(std::int64_t low, std::int64_t high) const {
  const std::string expected = fmt::format("a whole number from {} to {}", low, high);
  if (!value_->is_number_integer()) fail_type(expected);
  const bool too_large =
      value_->is_number_unsigned() &&
      (high < 0 || value_->get<std::uint64_t>() > static_cast<std::uint64_t>(high));
  if (too_large || value_->get<std::int64_t>() < low || value_->get<std::int64_t>() > high)
    fail_type(expected);
  return value_->get<std::int64_t>();
}

int JsonField::small_integer(int low, int high) const {
  return static_cast<int>(integer(low, high));
}

double JsonField::number(double low, double high) const {
  if (!value_->is_number()) fail_type("a number");
  const auto number = value_->get<double>();
  if (!(number >= low && number <= high))
    fail_type(fmt::format("a number from {:g} to {:g}", low, high));
  return number;
}

bool JsonField::flag() const {
  if (!value_->is_boolean()) fail_type("true or false");
  return value_->get<bool>();
}

}  // namespace litestage
