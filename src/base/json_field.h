#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace litestage {

/// A key as a step of a path in errors: ".window", or "[\"...\"]" with escapes when it is no plain
/// word.
std::string json_path_step(std::string_view key);

/// One value of a JSON file with its path, so that whatever is wrong with it is said of
/// `plan.json: stages[1].decode.f40`. Every getter checks type and range.
///
/// Refers to the value; keep that alive.
class JsonField {
 public:
  /// The whole file.
  /// @param file names it in errors
  JsonField(const nlohmann::json& value, std::string file);

  /// "plan.json: stages[1].name"
  std::string where() const;
  [[noreturn]] void fail(const std::string& what, const std::string& remedy = {}) const;

  /// @param optional keys that may be left out
  /// @throws UserError unless this is an object with these keys and no others
  void expect_keys(std::initializer_list<std::string_view> keys,
                   std::initializer_list<std::string_view> optional = {}) const;
  /// @throws UserError when this is no object or has no such key
  JsonField member(std::string_view key) const;
  /// The same where a key may be left out: nothing when it is not there or null.
  std::optional<JsonField> optional_member(std::string_view key) const;
  /// All members, by key. @throws UserError when this is no object
  std::vector<std::pair<std::string, JsonField>> members() const;
  /// @throws UserError when this is no list
  std::vector<JsonField> elements() const;

  bool is_null() const;
  bool is_object() const;
  bool is_number() const;
  bool is_text() const;
  bool is_list() const;
  /// Elements of a list. @throws UserError when this is none
  std::size_t size() const;

  /// A text without control characters: it may be shown on a terminal.
  std::string text() const;
  /// Any text, line ends and other control characters included, as models and questions have them.
  std::string raw_text() const;
  /// More than anything counted in a file, and a double holds it exactly.
  static constexpr std::int64_t LARGEST_COUNT = std::int64_t{1} << 50;
  std::int64_t integer(std::int64_t low, std::int64_t high) const;
  int small_integer(int low, int high) const;
  double number(double low, double high) const;
  bool flag() const;

 private:
  JsonField(const nlohmann::json& value, std::string file, std::string path);
  [[noreturn]] void fail_type(std::string_view expected) const;

  const nlohmann::json* value_;
  std::string file_;
  std::string path_;  // "" for the whole file, else as "stages[1].name"
};

}  // namespace litestage
