#include "offline/heat_map_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/html.h"
#include "base/html_page.h"
#include "offline/heat_map.h"

namespace litestage {
namespace {

/// Steps of the colours in heat_map.css.
constexpr std::size_t STEPS = 10;

/// Room for the layers of most models side by side.
constexpr std::string_view WIDE_PAGE = "main { max-width: 90rem; }\n";

std::string cell(const HeatMap& map, const HeatRow& row, std::size_t layer) {
  const double heat = map.heat(row.values[layer]);
  const std::string title = html_escaped(row.details[layer]);
  if (std::isnan(heat)) return fmt::format(R"(<td title="{}">·</td>)", title);
  constexpr auto MOST = static_cast<double>(STEPS - 1);
  const auto step = static_cast<std::size_t>(std::clamp(heat * STEPS, 0.0, MOST));
  return fmt::format(R"(<td class="heat{}" title="{}">{}</td>)", step, title,
                     map.text(row.values[layer]));
}

std::string legend(const HeatMap& map) {
  const bool high_first = map.first == "high";
  std::string strip;
  for (std::size_t step = 0; step < STEPS; ++step)
    strip += fmt::format("<i class=\"heat{}\"></i>", step);
  return fmt::format(
      "<div class=\"heat-legend\"><span>{} (left out last)</span><span><span>{}</span></span>"
      "<span>{} (left out first)</span>{}</div>\n",
      map.text(high_first ? map.low : map.high), strip, map.text(high_first ? map.high : map.low),
      map.scale == HeatScale::linear ? "" : "<span>logarithmic</span>");
}

std::string table(const HeatMap& map, int layers) {
  std::string html = R"(<table class="map"><thead><tr><th scope="col">layer</th>)";
  for (int layer = 0; layer < layers; ++layer)
    html += fmt::format("<th scope=\"col\">{}</th>", layer);
  html += "</tr></thead>\n<tbody>\n";
  for (const HeatRow& row : map.rows) {
    html += fmt::format("<tr><th scope=\"row\">{} · {} · {}</th>", html_escaped(row.stage),
                        row.phase, row.sublayer);
    for (std::size_t layer = 0; layer < row.values.size(); ++layer)
      html += cell(map, row, layer);
    html += "</tr>\n";
  }
  return html_scrolling(map.name + " of every sublayer", html + "</tbody></table>\n");
}

std::string stage_table(const Importance& importance) {
  std::string html =
      "<table><thead><tr><th scope=\"col\">stage</th>"
      "<th scope=\"col\" class=\"number\">tokens read a question</th>"
      "<th scope=\"col\" class=\"number\">ms a token</th>"
      "<th scope=\"col\" class=\"number\">tokens written a question</th>"
      "<th scope=\"col\" class=\"number\">ms a token</th></tr></thead>\n<tbody>\n";
  for (const StageImportance& stage : importance.stages) {
    html += fmt::format("<tr><th scope=\"row\">{}</th>", html_escaped(stage.name));
    for (const auto& [value, decimals] :
         {std::pair(stage.fresh_tokens, 1), std::pair(stage.prefill_ms, 2),
          std::pair(stage.written_tokens, 1), std::pair(stage.decode_ms, 2)})
      html += fmt::format("<td class=\"number\">{:.{}f}</td>", value, decimals);
    html += "</tr>\n";
  }
  return html_scrolling("Tokens and times of the stages", html + "</tbody></table>\n");
}

}  // namespace

std::string heat_map_fragment(const Importance& importance, int heading) {
  std::string html = fmt::format(
      "<p class=\"quiet\">{} questions of {}; {}, {} threads; litestage {}, ggml {}"
      "</p>\n",
      importance.questions.size(), html_escaped(importance.question_set),
      html_escaped(importance.machine), importance.threads,
      html_escaped(importance.litestage_version), html_escaped(importance.ggml_version));
  html += stage_table(importance);
  for (const HeatMap& map : heat_maps(importance)) {
    html +=
        fmt::format("<h{0}>{1}</h{0}>\n<p>{2}</p>\n{3}{4}", heading, html_escaped(map.name),
                    html_escaped(map.meaning), legend(map), table(map, importance.layer_count()));
  }
  return html;
}

std::string heat_map_html(const Importance& importance) {
  const std::string title = fmt::format("Importance of the sublayers of {} in {}",
                                        importance.model_name, importance.program);
  return html_page({.title = title,
                    .body = fmt::format("<h1>{}</h1>\n{}", html_escaped(title),
                                        heat_map_fragment(importance, 2)),
                    .styles = {HEAT_MAP_CSS, WIDE_PAGE}});
}

}  // namespace litestage
