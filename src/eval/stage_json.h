#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "base/json_field.h"
#include "litestage/pipeline.h"

namespace litestage {

/// One entry of a record's `stages`, as docs/evaluation.md lists its fields.
nlohmann::ordered_json stage_json(const StageRecord& stage);

/// Reads such an entry.
/// @throws UserError for what is missing, unknown, of the wrong type or out of range
StageRecord read_stage_record(const JsonField& field);

/// A question's options as an object: letters to texts.
nlohmann::ordered_json options_json(const std::vector<Option>& options);

/// Reads such an object.
/// @throws UserError unless its keys are A, B, C, ... and its values texts
std::vector<Option> read_options(const JsonField& field);

/// One line, without its end; bytes that are no UTF-8 become the replacement character.
std::string json_line(const nlohmann::ordered_json& json);

}  // namespace litestage
