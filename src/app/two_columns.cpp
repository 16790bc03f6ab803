#include "app/two_columns.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/utf8.h"

namespace litestage::app {
namespace {

constexpr std::string_view BETWEEN_COLUMNS = " │ ";
constexpr std::string_view BETWEEN_COLUMNS_AT_END = " │";

std::string_view without_spaces_behind(std::string_view line) {
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

/// Takes the first line of at most `width` columns off a line that is longer.
std::string_view take_line(std::string_view& rest, std::size_t width) {
  const std::string_view fitting = first_columns(rest, width);
  std::size_t cut = fitting.size();
  if (rest[cut] != ' ') {
    const std::size_t space = fitting.find_last_of(' ');
    // Spaces that a line begins with are no place to break it.
    if (space != std::string_view::npos && fitting.find_first_not_of(' ') < space) cut = space;
  }
  const std::string_view line = rest.substr(0, cut);
  rest.remove_prefix(cut);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return without_spaces_behind(line);
}

/// A line of a column.
struct StyledLine {
  std::string text;
  const char* style;
};

std::vector<StyledLine> lines_of(std::span<const ColumnPart> column, std::size_t width) {
  std::vector<StyledLine> lines;
  for (const ColumnPart& part : column) {
    for (std::string& line : wrapped(part.text, width))
      lines.push_back({std::move(line), part.style});
  }
  return lines;
}

std::string styled(const StyledLine& line, const char* off) {
  const bool plain = *line.style == '\0' || line.text.empty();
  return plain ? line.text : line.style + line.text + off;
}

}  // namespace

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  assert(width >= 2);
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = displayable(text.substr(begin, end - begin));
    std::string_view rest = without_spaces_behind(line);
    while (display_width(rest) > width)
      lines.emplace_back(take_line(rest, width));
    lines.emplace_back(rest);
    begin = end + 1;
  }
  return lines;
}

std::vector<std::string> two_columns(std::span<const ColumnPart> left,
                                     std::span<const ColumnPart> right, std::size_t width,
                                     const char* off) {
  const std::size_t column = (width - display_width(BETWEEN_COLUMNS)) / 2;
  const std::vector<StyledLine> lefts = lines_of(left, column);
  const std::vector<StyledLine> rights = lines_of(right, column);
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::max(lefts.size(), rights.size()); ++i) {
    const StyledLine none{"", ""};
    const StyledLine& on_left = i < lefts.size() ? lefts[i] : none;
    const StyledLine& on_right = i < rights.size() ? rights[i] : none;
    std::string line = styled(on_left, off);
    line.append(column - display_width(on_left.text), ' ');
    line += on_right.text.empty() ? BETWEEN_COLUMNS_AT_END : BETWEEN_COLUMNS;
    lines.push_back(line + styled(on_right, off));
  }
  return lines;
}

}  // namespace litestage::app
