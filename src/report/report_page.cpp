#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/html.h"
#include "base/html_page.h"
#include "offline/heat_map_html.h"
#include "offline/sweep_chart.h"
#include "report/question_data.h"
#include "report/report.h"
#include "report/report_charts.h"
#include "report/report_data.h"
#include "report/report_facts.h"
#include "report/report_tables.h"
#include "report/report_warnings.h"

namespace litestage {

// report.css, report.js
extern const std::string_view REPORT_CSS;
extern const std::string_view REPORT_JS;

namespace {

std::string html(const ReportTable& table) {
  if (table.rows.empty()) return "";
  std::string text = "<table class=\"figures\"><thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    text += fmt::format("<th scope=\"col\"{}>{}</th>", i == 0 ? "" : " class=\"number\"",
                        html_escaped(table.columns[i]));
  }
  text += "</tr></thead>\n<tbody>\n";
  for (const std::vector<std::string>& cells : table.rows) {
    text += fmt::format("<tr><th scope=\"row\">{}</th>", html_escaped(cells[0]));
    for (std::size_t i = 1; i < cells.size(); ++i)
      text += fmt::format("<td class=\"number\">{}</td>", html_escaped(cells[i]));
    text += "</tr>\n";
  }
  text = html_scrolling(table.name, text + "</tbody></table>\n");
  return text + fmt::format("<p class=\"quiet\">{}</p>\n", html_escaped(table.note));
}

std::string folded(const ReportTable& table) {
  return fmt::format("<details><summary>{}: the numbers</summary>\n{}</details>\n",
                     html_escaped(table.name), html(table));
}

std::string figure(const std::string& label, const std::string& svg, const std::string& caption) {
  return fmt::format("<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n",
                     html_scrolling(label, svg), html_escaped(caption));
}

/// A coloured square for each name.
std::string legend(const std::vector<std::pair<std::string, std::string>>& classes_and_names) {
  std::string text = "<ul class=\"legend\">";
  for (const auto& [classes, name] : classes_and_names)
    text += fmt::format("<li><i class=\"{}\"></i>{}</li>", classes, html_escaped(name));
  return text + "</ul>\n";
}

std::string source_part(const ReportGroup& group) {
  const std::string svg = source_svg(group);
  if (svg.empty()) return "";
  return "<h3>Source of the speedup</h3>\n" +
         legend({{"series0", "faster a token"},
                 {"series1", "shorter texts"},
                 {"series2", "reading"},
                 {"series5", "other"}}) +
         figure(
             "Chart: source of the speedup", svg,
             "What each policy saves of the full model's time; what it costs lies to the left of "
             "zero. The upright line is what remains, the number at the right the speedup with its "
             "95 % interval.") +
         folded(source_table(group));
}

/// Whether any policy writes in a stage.
bool is_written(const ReportGroup& group, const std::string& name) {
  return std::ranges::any_of(group.arms, [&](const ReportArm& arm) {
    return std::ranges::any_of(arm.summary.stages, [&](const StageTimes& stage) {
      return stage.stage == name && stage.decode_ms > 0;
    });
  });
}

std::string stage_part(const ReportGroup& group) {
  std::vector<std::pair<std::string, std::string>> entries;
  const std::vector<std::string> names = stage_names(group);
  for (std::size_t i = 0; i < names.size(); ++i) {
    entries.emplace_back(stage_class(i) + " reading", names[i] + ", reading");
    if (is_written(group, names[i])) entries.emplace_back(stage_class(i), names[i] + ", writing");
  }
  entries.emplace_back("series5", "neither");
  return "<h3>Where the time goes</h3>\n" + legend(entries) +
         figure("Chart: time of the stages", stage_time_svg(group),
                "Means over the timed questions.") +
         folded(time_table(group));
}

std::string length_part(const ReportGroup& group) {
  std::string charts;
  const std::vector<std::string> names = stage_names(group);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string svg = length_svg(group, i);
    if (svg.empty()) continue;
    charts += fmt::format("<figure>\n<h4>{}</h4>\n{}</figure>\n", html_escaped(names[i]),
                          html_scrolling("Chart: text lengths of " + names[i], svg));
  }
  if (charts.empty()) return "";
  return fmt::format(
      "<h3>Text lengths</h3>\n<div class=\"side-by-side\">\n{}</div>\n<p class=\"quiet\">Tokens "
      "written in each stage, with 95 % intervals; the dashed line is the full model.</p>\n{}",
      charts, folded(length_table(group)));
}

std::string group_section(const ReportGroup& group) {
  std::string text = fmt::format("<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n",
                                 group.id, html_escaped(group.name));
  const std::vector<std::string> warnings = report_warnings(group);
  if (!warnings.empty()) {
    text += "<div class=\"warnings\">\n<strong>Before you believe these numbers</strong>\n<ul>\n";
    for (const std::string& warning : warnings)
      text += fmt::format("<li>{}</li>\n", html_escaped(warning));
    text += "</ul>\n</div>\n";
  }
  text +=
      "<h3>Accuracy and latency</h3>\n" +
      figure("Chart: accuracy against latency", scatter_svg(group),
             "Upper left is better. Bars are 95 % intervals. The line joins the policies that no "
             "other one beats in both; hollow marks are beaten.");
  text += html(accuracy_table(group)) + html(latency_table(group));
  text += source_part(group) + stage_part(group) + length_part(group);
  return text + "</section>\n";
}

/// The browser of questions: report.js fills it.
std::string question_section(const std::vector<ReportGroup>& groups) {
  return fmt::format(
      "<section aria-labelledby=\"questions\">\n<h2 id=\"questions\">Questions</h2>\n"
      "<p>Questions that the full model and another policy answered differently, right against "
      "wrong. Arrow keys go through the list.</p>\n"
      "<noscript><p>The texts are shown by a script, and scripts are switched off.</p></noscript>\n"
      "<div id=\"browser\" hidden></div>\n"
      "<script type=\"application/json\" id=\"question-data\">{}</script>\n</section>\n",
      question_data(groups));
}

std::string head(const ReportInput& input, const std::vector<ReportGroup>& groups) {
  std::string text = fmt::format("<h1>{}</h1>\n<dl>\n", html_escaped(input.title));
  for (const ReportFact& fact : report_facts(input, groups)) {
    text += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", html_escaped(fact.term),
                        html_escaped(fact.text));
  }
  return text + "</dl>\n";
}

/// Links to the sections: id and name.
std::string contents(const std::vector<std::pair<std::string, std::string>>& sections) {
  std::string text = "<nav aria-label=\"Contents\"><ul>\n";
  for (const auto& [id, name] : sections)
    text += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", id, html_escaped(name));
  return text + "</ul></nav>\n";
}

}  // namespace

std::string report_html(const ReportInput& input) {
  const std::vector<ReportGroup> groups = report_groups(input);
  std::vector<std::pair<std::string, std::string>> sections;
  std::string body;
  for (const ReportGroup& group : groups) {
    sections.emplace_back(group.id, group.name);
    body += group_section(group);
  }
  const bool has_questions = disagreements(groups) > 0;
  if (has_questions) {
    sections.emplace_back("questions", "Questions");
    body += question_section(groups);
  }
  const auto add = [&](const std::string& id, const std::string& name, const std::string& content) {
    sections.emplace_back(id, name);
    body +=
        fmt::format("<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n{2}</section>\n",
                    id, html_escaped(name), content);
  };
  for (std::size_t i = 0; i < input.searches.size(); ++i) {
    const SearchFile& search = input.searches[i];
    const std::string id = fmt::format("search{}", i + 1);
    add(id, fmt::format("Search: {} on {}", search.plan.program, search.plan.model_name),
        search_fragment(search, 3, id + "-sweep"));
  }
  for (std::size_t i = 0; i < input.importances.size(); ++i) {
    const Importance& importance = input.importances[i];
    add(fmt::format("importance{}", i + 1),
        fmt::format("Importance: {} in {}", importance.model_name, importance.program),
        heat_map_fragment(importance, 3));
  }
  return html_page({.title = input.title,
                    .body = head(input, groups) + contents(sections) + body,
                    .styles = {REPORT_CSS, SWEEP_CSS, HEAT_MAP_CSS},
                    .script = has_questions ? REPORT_JS : std::string_view{}});
}

}  // namespace litestage
