#pragma once

#include <string>

#include "litestage/program.h"

namespace litestage {

/// sha256, as 64 hexadecimal digits, over everything in a program that shapes its prompts or how
/// their texts end and are read; not over its name and description.
std::string program_hash(const Program& program);

}  // namespace litestage
