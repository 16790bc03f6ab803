#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "offline/budget_search.h"

namespace litestage {

/// Whether a record was found accurate enough and timed.
bool is_accepted(const SweepRecord& record);

/// The accepted record to choose: of lowest measured latency; of equally fast ones that of lower
/// damage (not measured counts as the highest), then the first.
std::optional<std::size_t> fastest(std::span<const SweepRecord> records);

/// Makes a record's choice the result's: chosen, its time, accuracy and bound, and the verdict
/// `chosen` for the records on the way to it (those that agree with it on the stages swept by then
/// and leave out nothing elsewhere), `slower` for all other accepted ones.
/// @param index of an accepted record among the result's sweeps
void choose(SearchResult& result, std::size_t index);

}  // namespace litestage
