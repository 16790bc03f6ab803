#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Where toml++ asserts something about a file's text it goes on to report the error itself, and a
// file must not end the program.
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

#include "litestage/error.h"

namespace litestage {

/// A TOML text that is being read: turns what toml++ knows about positions into errors.
class TomlSource {
 public:
  /// @throws UserError when the text is no TOML
  TomlSource(std::string_view text, std::string where);

  const toml::table& root() const { return root_; }
  std::string place(const toml::source_position& position) const;
  /// Throws what is wrong with a value, at its first character.
  [[noreturn]] void fail(const toml::node& node, const std::string& what,
                         const std::string& remedy = {}) const;
  /// The same at the n-th `{{` of a string value (from 0), or at its start when an escape hides it.
  [[noreturn]] void fail_at_brace(const toml::node& node, std::size_t n, const std::string& what,
                                  const std::string& remedy = {}) const;

 private:
  std::size_t offset_of(const toml::source_position& position) const;

  std::string_view text_;
  std::string where_;
  toml::table root_;
};

/// One table of a TOML text with the keys it may have; every value is checked as it is read.
class TomlTable {
 public:
  /// @param title what the table is, for errors: "a stage"
  /// @throws UserError at the first key that is not among `keys`
  TomlTable(const TomlSource& source, const toml::table& table, std::string title,
            std::initializer_list<std::string_view> keys);

  const toml::table& table() const { return table_; }
  const toml::node* find(std::string_view key) const { return table_.get(key); }

  std::optional<std::string> text(std::string_view key) const;
  /// A text that must be there.
  std::string required_text(std::string_view key) const;
  /// A list of texts, none of them empty; empty when the key is absent.
  std::vector<std::string> texts(std::string_view key) const;
  std::optional<int> integer(std::string_view key, int low, int high) const;
  std::optional<float> number(std::string_view key, double low, double high) const;

  /// One of some words, each of which stands for a value.
  template <typename T>
  std::optional<T> word(std::string_view key,
                        const std::vector<std::pair<std::string_view, T>>& words) const {
    const std::optional<std::string> given = text(key);
    if (!given) return std::nullopt;
    std::string known;
    for (const auto& [word, value] : words) {
      if (word == *given) return value;
      known.append(known.empty() ? "'" : ", '").append(word).append("'");
    }
    source_.fail(*find(key), "'" + std::string(key) + "' cannot be '" + *given + "'",
                 "it is one of " + known);
  }

 private:
  [[noreturn]] void fail_type(const toml::node& node, std::string_view key,
                              std::string_view expected) const;

  const TomlSource& source_;
  const toml::table& table_;
  std::string title_;
};

}  // namespace litestage
