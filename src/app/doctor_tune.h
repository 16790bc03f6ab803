#pragma once

#include <string>
#include <vector>

#include "app/model_options.h"

namespace litestage::app {

struct TuneSettings {
  ModelArguments model;
  int repetitions = 5;
  bool json = false;
};

/// One value of a flag, and how fast the model is with it: tokens a second, medians.
struct TunedValue {
  int value = 0;
  double decode = 0;   ///< 0: not measured
  double prefill = 0;  ///< of 512 tokens
};

/// What `litestage doctor --tune` found for a model on this machine.
struct TuneReport {
  std::string model;
  std::vector<TunedValue> threads;
  std::vector<TunedValue> ubatch;  ///< with the chosen threads; prefill alone
  int chosen_threads = 0;          ///< the fewest that decode not measurably slower than any others
  int chosen_ubatch = 0;           ///< the smallest in the same sense, for prefill
};

/// Measures, a minute or so; everything in turns, so that what disturbs the machine disturbs all
/// values alike.
/// @throws UserError as loading a model does
TuneReport measure_tuning(const TuneSettings& settings);

/// The value that is not measurably slower than the fastest one, the first such in order.
/// @param seconds [value][repetition], measured in turn
std::size_t first_fast(const std::vector<std::vector<double>>& seconds);

std::string format_tuning(const TuneReport& report);
std::string tuning_json(const TuneReport& report);

}  // namespace litestage::app
