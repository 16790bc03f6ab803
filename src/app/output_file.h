#pragma once

#include <string>

namespace litestage::app {

/// Finds out before hours of work that their result could not be written.
/// @throws UserError when the path is a folder, or its folder cannot be written to
void check_output(const std::string& path);

/// Writes a text to the standard output.
/// @throws UserError when that fails
void print_out(const std::string& text);

/// @throws UserError unless all that was printed to the standard output has arrived there
void check_printed();

}  // namespace litestage::app
