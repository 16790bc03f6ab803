#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "eval/eval_record.h"
#include "litestage/error.h"

namespace {

std::string file_of(const litestage::EvalRun& run) {
  std::string text = to_json_line(run.header) + "\n";
  for (const litestage::EvalRecord& record : run.records)
    text += to_json_line(record) + "\n";
  return text;
}

}  // namespace

/// Any bytes are a run or one UserError; a run that was read is written and read back the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace litestage;
  EvalRun run;
  try {
    run = parse_eval_run({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const UserError&) {
    return 0;
  }
  const std::string text = file_of(run);
  if (file_of(parse_eval_run(text, "again")) != text) std::abort();
  return 0;
}
