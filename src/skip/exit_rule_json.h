#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/json_field.h"
#include "litestage/generation_early_exit.h"

namespace litestage {

/// An exit rule as plans and searches keep it; a threshold that is never reached is null.
nlohmann::ordered_json exit_rule_json(const ExitRule& rule);

/// @throws UserError naming the key for anything that is missing, unknown, of the wrong type or out
/// of range
ExitRule read_exit_rule(const JsonField& field);

}  // namespace litestage
