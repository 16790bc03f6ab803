#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace litestage {

/// One worked example: what each variable of the demonstration template stands for.
using Demonstration = std::map<std::string, std::string, std::less<>>;

/// Reads demonstrations, a JSON list of objects, in our form or in that of TinyThinker's authors.
///
/// Every field of ours is a variable: a text or number stands for itself, a list of texts for a
/// line
/// "(A) text" each, and with `.inline` behind its name for all of them on one line.
/// @throws UserError with file, line and column
std::vector<Demonstration> read_demonstrations(std::string_view text, const std::string& where);

}  // namespace litestage
