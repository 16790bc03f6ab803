#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "litestage/plan.h"
#include "offline/search_json.h"

namespace litestage {

/// What a stage leaves out while it reads or while it writes; a sublayer left out of both counts
/// once.
struct LeftOut {
  std::size_t sublayers = 0;
  std::size_t attention = 0;  ///< of these
  bool reading = false;       ///< some of them while reading
  bool writing = false;       ///< some of them while writing
};
LeftOut left_out(const StageSettings& settings);

/// The settings of a stage's candidates, one for each of its sweep's records.
std::vector<StageSettings> swept_settings(const SearchFile& file,
                                          std::span<const SweepRecord> sweep);

/// Whether masks tell all of them apart; rules that end texts are tried under the same masks.
bool masks_differ(std::span<const StageSettings> settings);

/// Where a sweep's candidates stand along the foot of its chart: above the number of sublayers they
/// leave out, on a scale from 0 on, those of one number side by side around it. Where masks do not
/// differ, one after the other.
struct SweepAxis {
  /// A number of sublayers with its place.
  struct Tick {
    std::size_t sublayers;
    double at;
  };

  bool counts = false;         ///< sublayers; else candidates, one after the other
  double width = 0;            ///< of the whole axis
  std::vector<double> places;  ///< of each candidate, from the left end
  std::vector<Tick> ticks;     ///< from left to right; none where it does not count
};

/// @param settings of the candidates, at least one, in the order in which those stand that have
/// as many sublayers left out
/// @param least, most width; marks overlap where `most` is too little for them
SweepAxis sweep_axis(std::span<const StageSettings> settings, double least, double most);

}  // namespace litestage
