#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "litestage/error.h"
#include "litestage/plan.h"

/// Any bytes are a plan or one UserError; a plan that was read is written and read back the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace litestage;
  Plan plan;
  try {
    plan = parse_plan({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const UserError&) {
    return 0;
  }
  if (parse_plan(to_json(plan), "again") != plan) std::abort();
  return 0;
}
