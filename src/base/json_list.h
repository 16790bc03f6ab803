#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/text_file.h"

namespace litestage {

/// One element of a JSON list, or one line of JSONL: its own text and where that begins.
struct JsonElement {
  std::string_view text;
  TextPosition position;
};

/// Cuts the elements out of a JSON list `[...]`, unread, so that a fault in one can be given its
/// line.
/// @throws UserError when the list's own brackets and commas are wrong
std::vector<JsonElement> split_json_list(std::string_view text, const std::string& where);

/// The lines of a text that are not blank.
std::vector<JsonElement> split_lines(std::string_view text);

}  // namespace litestage
