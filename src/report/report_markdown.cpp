#include <fmt/format.h>

#include "base/utf8.h"
#include "report/report.h"
#include "report/report_data.h"
#include "report/report_facts.h"
#include "report/report_tables.h"
#include "report/report_warnings.h"

namespace litestage {
namespace {

/// A text that Markdown leaves as it is: no markup, no link, no cell's end, no HTML.
std::string markdown_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : displayable(text)) {
    if (std::string_view("\\`*_{}[]<>#|~!&").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells)
    line += " " + markdown_escaped(cell) + " |";
  return line + "\n";
}

std::string markdown(const ReportTable& table) {
  if (table.rows.empty()) return "";
  std::string text = fmt::format("### {}\n\n", table.name) + row(table.columns) + "|---|";
  for (std::size_t i = 1; i < table.columns.size(); ++i)
    text += "---:|";
  text += '\n';
  for (const std::vector<std::string>& cells : table.rows)
    text += row(cells);
  return text + (table.note.empty() ? "\n" : fmt::format("\n{}\n\n", table.note));
}

std::string section(const ReportGroup& group) {
  std::string text = fmt::format("## {}\n\n", markdown_escaped(group.name));
  const std::vector<std::string> warnings = report_warnings(group);
  for (const std::string& warning : warnings)
    text += fmt::format("- **Note:** {}\n", markdown_escaped(warning));
  if (!warnings.empty()) text += '\n';
  for (const ReportTable& table : {accuracy_table(group), latency_table(group), source_table(group),
                                   time_table(group), length_table(group)})
    text += markdown(table);
  return text;
}

}  // namespace

std::string report_markdown(const ReportInput& input) {
  const std::vector<ReportGroup> groups = report_groups(input);
  std::string text = fmt::format("# {}\n\n", markdown_escaped(input.title));
  for (const ReportFact& fact : report_facts(input, groups))
    text += fmt::format("- {}: {}\n", fact.term, markdown_escaped(fact.text));
  text += '\n';
  for (const ReportGroup& group : groups)
    text += section(group);
  text.pop_back();  // the blank line at the end
  return text;
}

}  // namespace litestage
