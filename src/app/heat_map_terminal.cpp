#include "app/heat_map_terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "app/terminal.h"
#include "offline/heat_map.h"

namespace litestage::app {
namespace {

/// The xterm colours nearest to ten steps of viridis.
constexpr std::array PALETTE = {53, 54, 60, 24, 30, 36, 42, 77, 148, 226};
constexpr int STEPS = static_cast<int>(PALETTE.size());

std::string cell(double heat, bool coloured, int width) {
  const auto room = static_cast<std::size_t>(width);
  if (std::isnan(heat)) return std::string(room - 1, ' ') + ".";
  const int step = std::clamp(static_cast<int>(heat * STEPS), 0, STEPS - 1);
  if (!coloured) return std::string(room - 1, ' ') + static_cast<char>('0' + step);
  return fmt::format("\033[48;5;{}m{}\033[0m", PALETTE[static_cast<std::size_t>(step)],
                     std::string(room, ' '));
}

std::string legend(const HeatMap& map, bool coloured) {
  std::string ramp;
  for (int step = 0; step < STEPS; ++step)
    ramp += cell((step + 0.5) / STEPS, coloured, coloured ? 2 : 1);
  const bool high_first = map.first == "high";
  return fmt::format("{} {} {} (left out first){}", map.text(high_first ? map.low : map.high), ramp,
                     map.text(high_first ? map.high : map.low),
                     map.scale == HeatScale::linear ? "" : ", logarithmic");
}

/// Layer numbers, one every five layers, each at its layer's cell.
std::string ruler(std::size_t layers, std::size_t cell_width) {
  std::string line;
  for (std::size_t layer = 0; layer < layers; layer += 5) {
    const std::string number = std::to_string(layer);
    const std::size_t end = (layer + 1) * cell_width;
    if (end < line.size() + number.size()) continue;
    line += std::string(end - line.size() - number.size(), ' ') + number;
  }
  return line;
}

std::string format_map(const HeatMap& map, int layers, const Style& style, bool coloured,
                       int width) {
  std::size_t stage_width = 0;
  for (const HeatRow& row : map.rows)
    stage_width = std::max(stage_width, row.stage.size());
  constexpr int PHASE_AND_KIND = 19;
  const int label_width = static_cast<int>(stage_width) + PHASE_AND_KIND;
  const int cell_width = label_width + 2 * layers < width ? 2 : 1;
  std::string text = fmt::format(
      "{}{}{}: {}\n{}\n{}{}{}{}\n", style.heading, map.name, style.off, map.meaning,
      legend(map, coloured), style.quiet, std::string(static_cast<std::size_t>(label_width), ' '),
      ruler(static_cast<std::size_t>(layers), static_cast<std::size_t>(cell_width)), style.off);
  const HeatRow* before = nullptr;
  for (const HeatRow& row : map.rows) {
    const bool new_stage = before == nullptr || before->stage != row.stage;
    const bool new_phase = new_stage || before->phase != row.phase;
    text += fmt::format("{}{:<{}}{} {:<7} {:<9} ", style.stage, new_stage ? row.stage : "",
                        stage_width, style.off, new_phase ? row.phase : "", row.sublayer);
    for (const double value : row.values)
      text += cell(map.heat(value), coloured, cell_width);
    text += '\n';
    before = &row;
  }
  return text;
}

}  // namespace

std::string format_importance(const Importance& importance, bool coloured, int width) {
  const Style style(coloured);
  std::string text = fmt::format(
      "{}{}{} · {} · {} questions of {}\n{}{}, {} threads{}\n\n", style.heading,
      importance.model_name, style.off, importance.program, importance.questions.size(),
      importance.question_set, style.quiet, importance.machine, importance.threads, style.off);
  text += fmt::format("{:<14} {:>10} {:>11} {:>10} {:>11}\n", "stage", "read", "ms a token",
                      "written", "ms a token");
  for (const StageImportance& stage : importance.stages) {
    text +=
        fmt::format("{:<14} {:>10.1f} {:>11.2f} {:>10.1f} {:>11.2f}\n", stage.name,
                    stage.fresh_tokens, stage.prefill_ms, stage.written_tokens, stage.decode_ms);
  }
  for (const HeatMap& map : heat_maps(importance))
    text += "\n" + format_map(map, importance.layer_count(), style, coloured, width);
  return text;
}

}  // namespace litestage::app
