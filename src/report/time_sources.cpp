#include "report/time_sources.h"

namespace litestage {
namespace {

/// Sums over questions.
struct Times {
  double total = 0;
  double prefill = 0;
  double decode = 0;
  double tokens = 0;

  void add(const EvalRecord& record) {
    total += record.total_ms;
    for (const EvalStage& stage : record.stages) {
      prefill += stage.prefill_ms;
      decode += stage.decode_ms;
      tokens += stage.tokens;
    }
  }
  double other() const { return total - prefill - decode; }
};

}  // namespace

TimeSources time_sources(const ReportArm& full, const ReportArm& arm) {
  Times before;
  Times after;
  for (const RecordPair& pair : common_questions(full, arm)) {
    before.add(*pair.left);
    after.add(*pair.right);
  }
  TimeSources sources;
  if (before.total <= 0) return sources;
  sources.reading = (before.prefill - after.prefill) / before.total;
  sources.other = (before.other() - after.other()) / before.total;
  const double writing = (before.decode - after.decode) / before.total;
  if (before.tokens > 0 && after.tokens > 0) {
    const double ms_before = before.decode / before.tokens;
    const double ms_after = after.decode / after.tokens;
    sources.per_token = (ms_before - ms_after) * (before.tokens + after.tokens) / 2 / before.total;
  }
  sources.length = writing - sources.per_token;
  return sources;
}

}  // namespace litestage
