#pragma once

#include <string>

#include "litestage/pipeline.h"

namespace litestage {

/// One question's record as one line of JSON, as docs/cli.md lists its fields. Bytes that are no
/// UTF-8 become the replacement character.
/// @param arm which of two ways it was answered; empty when there is one
std::string to_json_line(const QuestionRecord& record, const std::string& program,
                         const std::string& arm = {});

}  // namespace litestage
