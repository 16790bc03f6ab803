#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "litestage/error.h"
#include "skip/skip_policy.h"

/// Any bytes are a policy or one UserError, and so is a policy on a small model.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace litestage;
  PolicyStatistics statistics;
  statistics.layers.resize(4);
  statistics.decode_ms = 1;
  try {
    const PolicySpec spec = parse_policy({reinterpret_cast<const char*>(data), size});
    if (spec.parameters.empty()) return 0;  // another program or another model
    const auto policy = make_skip_policy(spec, {.statistics = &statistics});
    if (policy->settings("stage").decode.last_layer() >= statistics.layer_count()) std::abort();
    if (const MaskScheduleFactory schedules = policy->schedules()) schedules("stage", 16)->next(1);
  } catch (const UserError&) {
    return 0;
  }
  return 0;
}
