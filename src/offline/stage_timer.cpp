#include "offline/stage_timer.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <span>

#include "base/statistics.h"
#include "offline/decoder_timing.h"

namespace litestage {
namespace {

/// One measurement: milliseconds of the fresh tokens, a single step, and a step of all branches.
struct Sample {
  double prefill = 0;
  double step = 0;
  double full_step = 0;
};

constexpr std::array<double Sample::*, 3> PARTS = {&Sample::prefill, &Sample::step,
                                                   &Sample::full_step};

/// One of the two that take turns, with the part of the context that was read before.
class Arm {
 public:
  Arm(Decoder& decoder, const StageShape& shape, const StageSettings& settings)
      : decoder_(decoder), shape_(shape), settings_(settings), prefix_(decoder.unused_sequence()) {
    const std::size_t held = shape.context.size() - static_cast<std::size_t>(shape.fresh);
    if (held > 0) read(held);
  }
  Arm(const Arm&) = delete;
  Arm& operator=(const Arm&) = delete;
  ~Arm() { decoder_.remove(prefix_); }

  Sample measure(int steps) {
    Sample sample;
    const SequenceId first = decoder_.unused_sequence();
    const std::size_t held = shape_.context.size() - static_cast<std::size_t>(shape_.fresh);
    if (held > 0) decoder_.fork(prefix_, first);
    sample.prefill = timed_reading(decoder_, first, std::span(shape_.context).subspan(held),
                                   settings_.prefill, shape_.head, shape_.writes);
    if (shape_.writes) {
      std::vector<SequenceId> sequences = {first};
      sample.step = step(sequences, steps, 0);
      for (int branch = 1; branch < shape_.branches; ++branch) {
        const SequenceId next = decoder_.unused_sequence();
        decoder_.fork(first, next);
        sequences.push_back(next);
      }
      sample.full_step = shape_.branches > 1 ? step(sequences, steps, steps + 1) : sample.step;
      for (const SequenceId sequence : sequences)
        decoder_.remove(sequence);
    } else {
      decoder_.remove(first);
    }
    return sample;
  }

 private:
  /// Reads the first tokens of the context without any logits.
  void read(std::size_t count) {
    std::vector<BatchToken> batch;
    for (std::size_t i = 0; i < count; ++i)
      batch.push_back({shape_.context[i], prefix_, false});
    decoder_.forward(batch, settings_.prefill);
  }

  /// Mean milliseconds of a step.
  /// @param written tokens of the text that are there already
  double step(const std::vector<SequenceId>& sequences, int steps, int written) {
    std::vector<Token> text = shape_.text;
    std::ranges::rotate(text, text.begin() + written % std::ssize(text));
    return timed_steps(decoder_, sequences, text, settings_.decode, steps, shape_.head) / steps;
  }

  Decoder& decoder_;
  const StageShape& shape_;
  const StageSettings& settings_;
  SequenceId prefix_;
};

/// Standard error of the mean of logarithms: a relative error.
double log_error(const std::vector<double>& values) {
  std::vector<double> logs;
  logs.reserve(values.size());
  for (const double value : values)
    logs.push_back(std::log(value));
  return standard_deviation(logs) / std::sqrt(static_cast<double>(values.size()));
}

std::vector<double> part(const std::vector<Sample>& samples, double Sample::*member) {
  std::vector<double> values;
  values.reserve(samples.size());
  for (const Sample& sample : samples)
    values.push_back(sample.*member);
  return values;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// The full model's rates from its samples, or the settings' from both arms'.
StageRates rates_of(const std::vector<Sample>& own, const std::vector<Sample>& full,
                    const StageShape& shape, const std::optional<StageRates>& base) {
  std::array<double, 3> rates{};
  std::array<double, 3> errors{};
  for (std::size_t i = 0; i < PARTS.size(); ++i) {
    if (i > 0 && !shape.writes) continue;
    std::vector<double> values = part(own, PARTS[i]);
    if (!base) {
      rates[i] = median(values) / (i == 0 ? shape.fresh : 1);
      errors[i] = log_error(values);
      continue;
    }
    const std::vector<double> others = part(full, PARTS[i]);
    std::vector<double> ratios;
    for (std::size_t round = 0; round < values.size(); ++round)
      ratios.push_back(values[round] / others[round]);
    const double of_base = i == 0 ? base->prefill_ms : i == 1 ? base->step_ms : base->full_step_ms;
    rates[i] = of_base * median(ratios);
    errors[i] = log_error(ratios);
  }
  return {rates[0], rates[1], rates[2], errors[0], errors[1], errors[2]};
}

}  // namespace

double StageRates::step_with(int branches_left, int branches) const {
  if (branches <= 1) return step_ms;
  const double share = static_cast<double>(branches_left - 1) / (branches - 1);
  return step_ms + share * (full_step_ms - step_ms);
}

std::optional<StageRates> time_stage(Decoder& decoder, const StageShape& shape,
                                     const StageSettings& settings,
                                     const std::optional<StageRates>& base,
                                     const StageTimerOptions& options,
                                     const std::atomic<bool>* stop) {
  assert(shape.fresh >= 1 && shape.fresh <= static_cast<int>(shape.context.size()));
  assert(!shape.writes || !shape.text.empty());
  const StageSettings nothing;
  std::vector<Sample> own;
  std::vector<Sample> full;
  Arm full_arm(decoder, shape, nothing);
  std::optional<Arm> own_arm;
  if (base) own_arm.emplace(decoder, shape, settings);
  for (int round = -1; round < options.rounds; ++round) {  // the round before the first warms up
    if (stop != nullptr && stop->load()) return std::nullopt;
    std::array<Sample, 2> samples;
    for (int turn = 0; turn < 2; ++turn) {
      const bool is_full = (turn == 0) == (round % 2 == 0);
      if (is_full) samples[0] = full_arm.measure(options.steps);
      if (!is_full && own_arm) samples[1] = own_arm->measure(options.steps);
    }
    if (round < 0) continue;
    full.push_back(samples[0]);
    own.push_back(own_arm ? samples[1] : samples[0]);
  }
  return rates_of(own, full, shape, base);
}

}  // namespace litestage
