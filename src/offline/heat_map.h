#pragma once

#include <string>
#include <vector>

#include "offline/importance.h"

namespace litestage {

/// One sublayer kind in one phase of one stage, over all layers.
struct HeatRow {
  std::string stage;
  std::string phase;                 ///< "reading" or "writing"
  std::string sublayer;              ///< "attention" or "FFN"
  std::vector<double> values;        ///< [layer]; NaN where there is none
  std::vector<std::string> details;  ///< [layer]: all that is known of the sublayer, in words
};

/// How values are spread over a map.
enum class HeatScale {
  linear,
  logarithmic,
  near_one,  ///< by the logarithm of their distance from 1
};

/// One figure of an importance, layer by sublayer by stage, ready to be drawn.
struct HeatMap {
  std::string name = {};     ///< "Cosine"
  std::string meaning = {};  ///< what the figure is, one sentence
  std::string first = {};    ///< which end is left out first: "high" or "low"
  int decimals = 3;          ///< that are worth printing
  HeatScale scale = HeatScale::linear;
  std::vector<HeatRow> rows = {};
  double low = 0;  ///< of all values
  double high = 0;

  /// Where a value lies: from 0 for what is left out last to 1 for what is left out first; 0.5 when
  /// all values are equal. NaN stays NaN.
  double heat(double value) const;
  /// A value in few characters; empty for none.
  std::string text(double value) const;
};

/// Cosine, damage, milliseconds, and damage per millisecond; without what was not measured, and
/// without the writing of stages that write nothing.
std::vector<HeatMap> heat_maps(const Importance& importance);

}  // namespace litestage
