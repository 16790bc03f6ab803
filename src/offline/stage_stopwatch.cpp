#include "offline/stage_stopwatch.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <span>

#include "offline/decoder_timing.h"

namespace litestage {
namespace {

constexpr int MOST_FRESH = 128;
constexpr int STEPS_TIMED = 8;
constexpr int STEPS_TAKEN = 1 + STEPS_TIMED;  // the first one builds the graph, as one in many does

}  // namespace

StageWork typical_work(const std::vector<StageTrace>& traces, const std::string& stage,
                       int questions, int room) {
  assert(questions > 0);
  StageWork work;
  const StageTrace* longest = nullptr;
  double contexts = 0;
  double count = 0;
  for (const StageTrace& trace : traces) {
    if (trace.stage != stage) continue;
    ++count;
    contexts += static_cast<double>(trace.context.size());
    work.fresh_tokens += trace.fresh;
    work.written_tokens += static_cast<double>(trace.text.size());
    if (longest == nullptr || trace.context.size() > longest->context.size()) longest = &trace;
  }
  assert(longest != nullptr && !longest->context.empty());
  const int most = std::max(2, room - STEPS_TAKEN);
  const double held = (contexts - work.fresh_tokens) / count;
  const double half_text = work.written_tokens / count / 2;
  work.fresh_tokens /= questions;
  work.written_tokens /= questions;
  work.fresh =
      std::clamp(static_cast<int>(std::lround(work.fresh_tokens)), 1, std::min(MOST_FRESH, most));
  work.held = std::clamp(static_cast<int>(std::lround(held)), 0, most - work.fresh);
  work.decode_from =
      std::clamp(static_cast<int>(std::lround(contexts / count + half_text)), 1, most);
  const std::size_t length =
      static_cast<std::size_t>(std::max(work.held + work.fresh, work.decode_from));
  for (std::size_t i = 0; i < length; ++i)
    work.tokens.push_back(longest->context[i % longest->context.size()]);
  work.text = longest->text.empty() ? longest->context : longest->text;
  return work;
}

DecoderStopwatch::DecoderStopwatch(Decoder& decoder, StageWork work)
    : decoder_(decoder), work_(std::move(work)) {
  decoder_.clear();
}

int DecoderStopwatch::steps() const {
  return STEPS_TIMED;
}

/// Brings the cache to the first `length` tokens, read by the whole model.
void DecoderStopwatch::hold(int length) {
  whole_ = std::min(whole_, length);
  decoder_.truncate(0, whole_);
  if (whole_ == length) return;
  const auto begin = static_cast<std::size_t>(whole_);
  decoder_.forward(
      0, std::span(work_.tokens).subspan(begin, static_cast<std::size_t>(length) - begin));
  whole_ = length;
}

double DecoderStopwatch::prefill_ms(const SublayerMask& mask) {
  hold(work_.held);
  const auto fresh =
      std::span(work_.tokens)
          .subspan(static_cast<std::size_t>(work_.held), static_cast<std::size_t>(work_.fresh));
  return timed_reading(decoder_, 0, fresh, mask, work_.head, work_.writes);
}

double DecoderStopwatch::decode_ms(const SublayerMask& mask) {
  hold(work_.decode_from);
  constexpr std::array<SequenceId, 1> ALONE = {0};
  return timed_steps(decoder_, ALONE, work_.text, mask, STEPS_TIMED, work_.head);
}

}  // namespace litestage
