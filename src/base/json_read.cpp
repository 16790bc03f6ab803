#include "base/json_read.h"

#include <set>
#include <vector>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_field.h"
#include "base/utf8.h"
#include "litestage/error.h"

namespace litestage {
namespace {

using Json = nlohmann::json;

/// The reader's own words without its error number, the position and what it read last (all of
/// which stand in our own sentence, or may be half of a character).
std::string reason_of(const Json::exception& error) {
  std::string_view message = error.what();
  if (const std::size_t at = message.find(" - "); at != std::string_view::npos) {
    message.remove_prefix(at + 3);
  }
  return std::string(message.substr(0, message.find("; ")));
}

void check_utf8(std::string_view text, const std::string& where, TextPosition start) {
  if (const auto offset = invalid_utf8_at(text)) {
    throw UserError(located(where, position_at(text, *offset, start)), "invalid UTF-8",
                    "save the file as UTF-8");
  }
}

[[noreturn]] void fail_syntax(const Json::parse_error& error, std::string_view text,
                              const std::string& where, TextPosition start) {
  const std::size_t offset = error.byte == 0 ? 0 : error.byte - 1;
  throw UserError(located(where, position_at(text, offset, start)),
                  "no valid JSON: " + reason_of(error));
}

/// Follows the parser and knows the path of what is being read.
class PathWatch {
 public:
  explicit PathWatch(std::string where) : where_(std::move(where)) {}

  void on(Json::parse_event_t event, const Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        open(event == Json::parse_event_t::array_start);
        break;
      case Json::parse_event_t::key:
        take_key(parsed.get_ref<const std::string&>());
        break;
      case Json::parse_event_t::object_end:
      case Json::parse_event_t::array_end:
        levels_.pop_back();
        finish_element();
        break;
      case Json::parse_event_t::value:
        finish_element();
        break;
    }
  }

  [[noreturn]] void fail(const std::string& what, const std::string& remedy = {}) const {
    throw UserError(path().empty() ? where_ : where_ + ": " + path(), what, remedy);
  }

 private:
  struct Level {
    bool is_list = false;
    std::size_t element = 0;  // of a list: the one being read
    std::string key;          // of an object: the last one read
    std::set<std::string> keys;
  };

  void finish_element() {
    if (!levels_.empty()) ++levels_.back().element;
  }

  void open(bool is_list) {
    constexpr std::size_t DEEPEST = 32;
    if (levels_.size() == DEEPEST) fail(fmt::format("is nested deeper than {} levels", DEEPEST));
    levels_.push_back({is_list, 0, {}, {}});
  }

  void take_key(const std::string& key) {
    levels_.back().key = key;
    if (!levels_.back().keys.insert(key).second) fail("the key stands there twice", "keep one");
  }

  std::string path() const {
    std::string path;
    for (const Level& level : levels_) {
      path += level.is_list ? fmt::format("[{}]", level.element) : json_path_step(level.key);
    }
    return path.starts_with('.') ? path.substr(1) : path;
  }

  std::string where_;
  std::vector<Level> levels_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where, TextPosition start) {
  check_utf8(text, where, start);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    fail_syntax(error, text, where, start);
  } catch (const Json::exception& error) {  // a number that no double holds
    throw UserError(located(where, start), "no valid JSON: " + reason_of(error));
  }
}

nlohmann::json parse_json_strictly(std::string_view text, const std::string& where) {
  check_utf8(text, where, {});
  PathWatch watch(where);
  try {
    return Json::parse(text, [&](int /*depth*/, Json::parse_event_t event, const Json& parsed) {
      watch.on(event, parsed);
      return true;
    });
  } catch (const Json::parse_error& error) {
    fail_syntax(error, text, where, {});
  } catch (const Json::exception&) {
    watch.fail("the number is too large");
  }
}

}  // namespace litestage
