#include "base/json_read.h"

#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "litestage/error.h"

namespace litestage {
namespace {

/// The reader's own words without its error number, the position and what it read last (all of
/// which stand in our own sentence, or may be half of a character).
std::string reason_of(const nlohmann::json::exception& error) {
  std::string_view message = error.what();
  if (const std::size_t at = message.find(" - "); at != std::string_view::npos) {
    message.remove_prefix(at + 3);
  }
  return std::string(message.substr(0, message.find("; ")));
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where, TextPosition start) {
  if (const auto offset = invalid_utf8_at(text)) {
    throw UserError(located(where, position_at(text, *offset, start)), "invalid UTF-8",
                    "save the file as UTF-8");
  }
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const std::size_t offset = error.byte == 0 ? 0 : error.byte - 1;
    throw UserError(located(where, position_at(text, offset, start)),
                    "no valid JSON: " + reason_of(error));
  } catch (const nlohmann::json::exception& error) {  // a number that no double holds
    throw UserError(located(where, start), "no valid JSON: " + reason_of(error));
  }
}

}  // namespace litestage
