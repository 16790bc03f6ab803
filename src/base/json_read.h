#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/text_file.h"

namespace litestage {

/// Reads one JSON value.
/// @param where names the text in errors
/// @param start place of the text's first byte in the file it was taken from
/// @throws UserError with line and column when it is no JSON or no UTF-8
nlohmann::json parse_json(std::string_view text, const std::string& where, TextPosition start = {});

/// Reads one JSON value that people may have edited: a key that stands twice in an object, a number
/// that no double holds and nesting deeper than 32 are refused with their path, as
/// "file: stages[1].decode.f40".
/// @throws UserError also for all that `parse_json` refuses
nlohmann::json parse_json_strictly(std::string_view text, const std::string& where);

}  // namespace litestage
