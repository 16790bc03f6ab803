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

}  // namespace litestage
