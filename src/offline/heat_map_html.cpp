#include "offline/heat_map_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "offline/heat_map.h"

namespace litestage {
namespace {

/// Ten steps of viridis: even to the eye, in grey too, and for the colour-blind.
constexpr std::array<std::string_view, 10> PALETTE = {"#440154", "#482878", "#3e4989", "#31688e",
                                                      "#26828e", "#1f9e89", "#35b779", "#6ece58",
                                                      "#b5de2b", "#fde725"};

constexpr std::string_view STYLE = R"(
:root { color-scheme: light dark; --ground: #fff; --text: #1a1a1a; --quiet: #5c5c5c; --line: #ddd; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #16181c; --text: #e8e8e8; --quiet: #a0a0a0; --line: #3a3d44; }
}
body { margin: 1.5rem auto; padding: 0 1rem; max-width: 90rem; background: var(--ground);
       color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .2rem; }
p { margin: .2rem 0 .6rem; color: var(--quiet); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { font-weight: 500; text-align: left; padding: .1rem .5rem; white-space: nowrap; }
thead th { color: var(--quiet); text-align: center; padding: .1rem; }
tbody th { position: sticky; left: 0; background: var(--ground); }
.map td { font-size: 11px; text-align: center; padding: .2rem .15rem; min-width: 2.6rem;
          border: 1px solid var(--ground); }
.facts td { padding: .1rem .5rem; text-align: right; border-top: 1px solid var(--line); }
.facts th { border-top: 1px solid var(--line); }
.legend { display: flex; align-items: center; gap: .5rem; font-size: 12px; flex-wrap: wrap; }
.legend i { display: inline-block; width: 1.6rem; height: .9rem; }
.legend span span { display: inline-flex; }
)";

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string cell(const HeatMap& map, const HeatRow& row, std::size_t layer) {
  const double heat = map.heat(row.values[layer]);
  const std::string title = escaped(row.details[layer]);
  if (std::isnan(heat)) return fmt::format("<td title=\"{}\">·</td>", title);
  const auto steps = static_cast<double>(PALETTE.size());
  const auto step = static_cast<std::size_t>(std::clamp(heat * steps, 0.0, steps - 1));
  constexpr std::size_t FIRST_BRIGHT = 5;
  return fmt::format(R"(<td style="background:{};color:{}" title="{}">{}</td>)", PALETTE[step],
                     step < FIRST_BRIGHT ? "#fff" : "#000", title, map.text(row.values[layer]));
}

std::string legend(const HeatMap& map) {
  const bool high_first = map.first == "high";
  std::string strip;
  for (const std::string_view colour : PALETTE)
    strip += fmt::format("<i style=\"background:{}\"></i>", colour);
  return fmt::format(
      "<div class=\"legend\"><span>{} (left out last)</span><span><span>{}</span></span>"
      "<span>{} (left out first)</span>{}</div>\n",
      map.text(high_first ? map.low : map.high), strip, map.text(high_first ? map.high : map.low),
      map.scale == HeatScale::linear ? "" : "<span>logarithmic</span>");
}

std::string table(const HeatMap& map, int layers) {
  std::string html = fmt::format(
      "<h2>{}</h2>\n<p>{}</p>\n{}<div class=\"wide\"><table class=\"map\"><thead><tr>"
      "<th scope=\"col\">layer</th>",
      escaped(map.name), escaped(map.meaning), legend(map));
  for (int layer = 0; layer < layers; ++layer)
    html += fmt::format("<th scope=\"col\">{}</th>", layer);
  html += "</tr></thead>\n<tbody>\n";
  for (const HeatRow& row : map.rows) {
    html += fmt::format("<tr><th scope=\"row\">{} · {} · {}</th>", escaped(row.stage), row.phase,
                        row.sublayer);
    for (std::size_t layer = 0; layer < row.values.size(); ++layer)
      html += cell(map, row, layer);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string stage_table(const Importance& importance) {
  std::string html =
      "<div class=\"wide\"><table class=\"facts\"><thead><tr><th scope=\"col\">stage</th>"
      "<th scope=\"col\">read a question</th><th scope=\"col\">ms a token</th>"
      "<th scope=\"col\">written a question</th><th scope=\"col\">ms a token</th></tr></thead>\n"
      "<tbody>\n";
  for (const StageImportance& stage : importance.stages) {
    html += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{:.1f}</td><td>{:.2f}</td><td>{:.1f}</td>"
        "<td>{:.2f}</td></tr>\n",
        escaped(stage.name), stage.fresh_tokens, stage.prefill_ms, stage.written_tokens,
        stage.decode_ms);
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string heat_map_html(const Importance& importance) {
  const std::string title = escaped(fmt::format("Importance of the sublayers of {} in {}",
                                                importance.model_name, importance.program));
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
      title, STYLE);
  html += fmt::format("<p>{} questions of {}; {}, {} threads; litestage {}, ggml {}</p>\n",
                      importance.questions.size(), escaped(importance.question_set),
                      escaped(importance.machine), importance.threads,
                      escaped(importance.litestage_version), escaped(importance.ggml_version));
  html += stage_table(importance);
  for (const HeatMap& map : heat_maps(importance))
    html += table(map, importance.layer_count());
  return html + "</body>\n</html>\n";
}

}  // namespace litestage
