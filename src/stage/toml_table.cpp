#include "stage/toml_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text_file.h"
#include "base/utf8.h"

namespace litestage {
namespace {

constexpr std::string_view OPEN_BRACES = "{{";

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

std::size_t count_braces(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find(OPEN_BRACES); at != std::string_view::npos;
       at = text.find(OPEN_BRACES, at + OPEN_BRACES.size())) {
    ++count;
  }
  return count;
}

toml::table parse(std::string_view text, const std::string& where) {
  // toml++ stops at the first NUL byte without a word, and places bad UTF-8 a column early.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    throw UserError(located(where, position_at(text, nul)), "no valid TOML: a NUL byte");
  }
  if (const auto offset = invalid_utf8_at(text)) {
    throw UserError(located(where, position_at(text, *offset)), "invalid UTF-8",
                    "save the file as UTF-8");
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const toml::source_position& begin = error.source().begin;
    throw UserError(located(where, TextPosition{begin.line, begin.column}),
                    "no valid TOML: " + std::string(error.description()));
  }
}

}  // namespace

TomlSource::TomlSource(std::string_view text, std::string where)
    : text_(text), where_(std::move(where)), root_(parse(text_, where_)) {}

std::string TomlSource::place(const toml::source_position& position) const {
  return located(where_, TextPosition{position.line, position.column});
}

void TomlSource::fail(const toml::node& node, const std::string& what,
                      const std::string& remedy) const {
  throw UserError(place(node.source().begin), what, remedy);
}

std::size_t TomlSource::offset_of(const toml::source_position& position) const {
  std::size_t at = 0;
  for (std::size_t line = 1; line < position.line && at < text_.size(); ++line) {
    at = std::min(text_.find('\n', at), text_.size() - 1) + 1;
  }
  for (std::size_t column = 1; column < position.column && at < text_.size(); ++column) {
    do
      ++at;
    while (at < text_.size() && (static_cast<unsigned char>(text_[at]) & 0xC0) == 0x80);
  }
  return at;
}

void TomlSource::fail_at_brace(const toml::node& node, std::size_t n, const std::string& what,
                               const std::string& remedy) const {
  const std::size_t begin = offset_of(node.source().begin);
  const std::string_view raw = text_.substr(begin, offset_of(node.source().end) - begin);
  if (count_braces(raw) != count_braces(node.value_or(std::string_view())))
    fail(node, what, remedy);
  std::size_t at = raw.find(OPEN_BRACES);
  for (std::size_t i = 0; i < n; ++i)
    at = raw.find(OPEN_BRACES, at + OPEN_BRACES.size());
  throw UserError(located(where_, position_at(text_, begin + at)), what, remedy);
}

TomlTable::TomlTable(const TomlSource& source, const toml::table& table, std::string title,
                     std::initializer_list<std::string_view> keys)
    : source_(source), table_(table), title_(std::move(title)) {
  const toml::key* unknown = nullptr;
  for (const auto& [key, value] : table) {
    if (std::ranges::find(keys, key.str()) != keys.end()) continue;
    const bool is_first = unknown == nullptr || key.source().begin < unknown->source().begin;
    if (is_first) unknown = &key;
  }
  if (unknown == nullptr) return;
  throw UserError(source.place(unknown->source().begin),
                  fmt::format("unknown key '{}' in {}", unknown->str(), title_),
                  fmt::format("the keys there are {}", fmt::join(keys, ", ")));
}

void TomlTable::fail_type(const toml::node& node, std::string_view key,
                          std::string_view expected) const {
  source_.fail(node, fmt::format("'{}' is {}", key, type_name(node)),
               fmt::format("it must be {}", expected));
}

std::optional<std::string> TomlTable::text(std::string_view key) const {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_string()) fail_type(*node, key, "a text");
  return node->as_string()->get();
}

std::string TomlTable::required_text(std::string_view key) const {
  const std::optional<std::string> value = text(key);
  if (!value) source_.fail(table_, fmt::format("{} has no '{}'", title_, key), "add it");
  if (value->empty()) source_.fail(*find(key), fmt::format("'{}' is empty", key), "write a text");
  return *value;
}

std::vector<std::string> TomlTable::texts(std::string_view key) const {
  std::vector<std::string> values;
  const toml::node* node = find(key);
  if (node == nullptr) return values;
  if (!node->is_array()) fail_type(*node, key, "a list of texts");
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_string()) fail_type(element, key, "a list of texts");
    values.push_back(element.as_string()->get());
    if (values.back().empty()) source_.fail(element, fmt::format("'{}' has an empty text", key));
  }
  return values;
}

std::optional<int> TomlTable::integer(std::string_view key, int low, int high) const {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_integer()) fail_type(*node, key, "a whole number");
  const std::int64_t value = node->as_integer()->get();
  if (value < low || value > high) {
    source_.fail(*node, fmt::format("'{}' is {}", key, value),
                 fmt::format("it must lie between {} and {}", low, high));
  }
  return static_cast<int>(value);
}

std::optional<float> TomlTable::number(std::string_view key, double low, double high) const {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_number()) fail_type(*node, key, "a number");
  const double value = node->value_or(0.0);
  if (!(value >= low && value <= high)) {  // also when it is not a number at all
    source_.fail(*node, fmt::format("'{}' is {}", key, value),
                 fmt::format("it must lie between {} and {}", low, high));
  }
  return static_cast<float>(value);
}

}  // namespace litestage
