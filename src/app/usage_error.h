#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace litestage::app {

/// One sentence about a command line that could not be parsed: what is wrong, the flag or verb that
/// was probably meant, and whose help to read.
std::string describe_usage_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace litestage::app
