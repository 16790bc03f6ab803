#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "offline/cosine_meter.h"
#include "offline/damage_meter.h"
#include "offline/stage_trace.h"
#include "offline/sublayer_cost.h"

// The pieces of a profile as they stand in its partial file. What is read is checked against the
// model: a value that does not fit throws UserError naming `where`.
namespace litestage {

nlohmann::json traces_json(const std::vector<StageTrace>& traces);
std::vector<StageTrace> read_traces(const nlohmann::json& value, const std::string& where,
                                    const Model& model);

nlohmann::json cosines_json(const std::vector<StageCosines>& cosines);
std::vector<StageCosines> read_cosines(const nlohmann::json& value, const std::string& where,
                                       const Model& model);

nlohmann::json cost_json(const StageCost& cost);
StageCost read_cost(const nlohmann::json& value, const std::string& where, const Model& model);

/// A damage with its standard error; numbers that are none become null.
nlohmann::json damage_json(const Estimate& damage);
Estimate read_damage(const nlohmann::json& value, const std::string& where);

}  // namespace litestage
