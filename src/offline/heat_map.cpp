#include "offline/heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace litestage {
namespace {

/// One sublayer's figures with what is needed to make sense of them.
struct Place {
  const StageImportance& stage;
  const SublayerFigures& figures;
  double tokens = 0;  ///< of the phase, for a question
};

/// Harm for each millisecond that a question gets faster; nothing where none is saved.
double damage_per_ms(const Place& place) {
  const double ms = place.figures.ms * place.tokens;
  return ms > 0 ? place.figures.damage / ms : SublayerFigures::UNKNOWN;
}

std::string describe(const Place& place) {
  const SublayerFigures& figures = place.figures;
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (!std::isnan(figures.cosine)) {
    add(fmt::format("cosine {:.4f}, norm ratio {:.3f}", figures.cosine, figures.norm_ratio));
  }
  if (!std::isnan(figures.damage))
    add(fmt::format("damage {:.4f} ± {:.4f} nats a token", figures.damage, figures.damage_error));
  add(fmt::format("{:.4f} ± {:.4f} ms a token, {:.1f} ms a question", figures.ms, figures.ms_error,
                  figures.ms * place.tokens));
  return text;
}

using Figure = std::function<double(const Place&)>;

std::vector<HeatRow> rows_of(const Importance& importance, const Figure& figure) {
  std::vector<HeatRow> rows;
  for (const StageImportance& stage : importance.stages) {
    for (const bool reading : {true, false}) {
      const double tokens = reading ? stage.fresh_tokens : stage.written_tokens;
      if (tokens == 0) continue;
      for (const Sublayer sublayer : {Sublayer::attention, Sublayer::ffn}) {
        HeatRow row{stage.name,
                    reading ? "reading" : "writing",
                    sublayer == Sublayer::attention ? "attention" : "FFN",
                    {},
                    {}};
        for (int layer = 0; layer < importance.layer_count(); ++layer) {
          const SublayerImportance& known = stage.of(sublayer, layer);
          const Place place{stage, reading ? known.prefill : known.decode, tokens};
          row.values.push_back(figure(place));
          row.details.push_back(fmt::format("{}, {}, layer {} {}: {}", row.stage, row.phase, layer,
                                            row.sublayer, describe(place)));
        }
        const bool has_any = std::any_of(row.values.begin(), row.values.end(),
                                         [](double value) { return !std::isnan(value); });
        if (has_any) rows.push_back(std::move(row));
      }
    }
  }
  return rows;
}

void add_map(std::vector<HeatMap>& maps, const Importance& importance, HeatMap map,
             const Figure& figure) {
  map.rows = rows_of(importance, figure);
  if (map.rows.empty()) return;
  map.low = std::numeric_limits<double>::infinity();
  map.high = -map.low;
  for (const HeatRow& row : map.rows) {
    for (const double value : row.values) {
      if (std::isnan(value)) continue;
      map.low = std::min(map.low, value);
      map.high = std::max(map.high, value);
    }
  }
  maps.push_back(std::move(map));
}

}  // namespace

double HeatMap::heat(double value) const {
  static constexpr double SPAN = 1e-6;  // of the highest value: below, a logarithm says no more
  const auto position = [this](double number) {
    switch (scale) {
      case HeatScale::logarithmic:
        return std::log(std::max(number, high * SPAN));
      case HeatScale::near_one:
        return -std::log(std::max(1 - number, SPAN));
      case HeatScale::linear:
        break;
    }
    return number;
  };
  if (std::isnan(value)) return value;
  if (!(position(high) > position(low))) return 0.5;
  const double share = (position(value) - position(low)) / (position(high) - position(low));
  return first == "high" ? share : 1 - share;
}

std::string HeatMap::text(double value) const {
  return std::isnan(value) ? "" : fmt::format("{:.{}f}", value, decimals);
}

std::vector<HeatMap> heat_maps(const Importance& importance) {
  std::vector<HeatMap> maps;
  add_map(maps, importance,
          {.name = "Cosine",
           .meaning = "between a sublayer's input and its output: near 1, it changes little",
           .first = "high",
           .decimals = 3,
           .scale = HeatScale::near_one},
          [](const Place& place) { return place.figures.cosine; });
  add_map(maps, importance,
          {.name = "Damage",
           .meaning = "KL divergence in nats a token when the sublayer alone is left out",
           .first = "low",
           .decimals = 3,
           .scale = HeatScale::logarithmic},
          [](const Place& place) { return place.figures.damage; });
  add_map(maps, importance,
          {.name = "Milliseconds",
           .meaning = "a token that leaving out the sublayer saves on this machine",
           .first = "high",
           .decimals = 3},
          [](const Place& place) { return place.figures.ms; });
  add_map(maps, importance,
          {.name = "Damage per millisecond",
           .meaning = "nats a token for each millisecond of a question that is saved",
           .first = "low",
           .decimals = 4,
           .scale = HeatScale::logarithmic},
          damage_per_ms);
  return maps;
}

}  // namespace litestage
