#include "report/time_sources.h"

#include "eval/eval_statistics.h"

namespace litestage {
TimeSources time_sources(const ReportArm& full, const ReportArm& arm) {
  TimeTotals before;
  TimeTotals after;
  for (const RecordPair& pair : common_questions(full, arm)) {
    if (!pair.left->timed() || !pair.right->timed()) continue;
    before.add(*pair.left);
    after.add(*pair.right);
  }
  TimeSources sources;
  if (before.total_ms <= 0) return sources;
  sources.reading = (before.prefill_ms - after.prefill_ms) / before.total_ms;
  sources.other = (before.overhead_ms() - after.overhead_ms()) / before.total_ms;
  const double writing = (before.decode_ms - after.decode_ms) / before.total_ms;
  if (before.tokens > 0 && after.tokens > 0) {
    const double ms_before = before.decode_ms / before.tokens;
    const double ms_after = after.decode_ms / after.tokens;
    sources.per_token =
        (ms_before - ms_after) * (before.tokens + after.tokens) / 2 / before.total_ms;
  }
  sources.length = writing - sources.per_token;
  return sources;
}

}  // namespace litestage
