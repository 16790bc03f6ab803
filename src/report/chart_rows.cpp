#include "report/chart_rows.h"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "base/utf8.h"

namespace litestage {
namespace {

// Lengths in the units of the view box.
constexpr double SIDE = 14;  // room for half a number of the axis
constexpr double ROW = 44;
constexpr double NAME = 17;  // of a row's height
constexpr double BAR = 15;
constexpr double BOTTOM = 40;

double height_of(const ChartRows::Layout& layout) {
  return ROW * static_cast<double>(layout.rows) + BOTTOM;
}

}  // namespace

std::string short_label(const std::string& label) {
  constexpr std::size_t MOST = 34;
  constexpr std::size_t END = 12;
  std::string text = displayable(label);
  // By characters: a byte that goes on with one does not count and is not cut at.
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) starts.push_back(i);
  }
  if (starts.size() <= MOST) return text;
  return text.substr(0, starts[MOST - END - 1]) + "…" + text.substr(starts[starts.size() - END]);
}

ChartRows::ChartRows(const Layout& layout, const SvgPicture::Label& label)
    : layout_(layout),
      axis_{layout.low, layout.high, SIDE, layout.width - SIDE},
      svg_(layout.width, height_of(layout), label) {
  const double bottom = height_of(layout) - BOTTOM;
  for (const double tick : axis_.ticks()) {
    svg_.line(axis_.at(tick), 0, axis_.at(tick), bottom + 4, tick == 0 ? "zero" : "grid");
    svg_.text(axis_.at(tick), bottom + 18, fmt::format("{:g}", tick), "tick",
              SvgPicture::Anchor::middle);
  }
  svg_.text(layout.width / 2, bottom + 35, layout.unit, "tick", SvgPicture::Anchor::middle);
}

double ChartRows::top() const {
  return ROW * row_ + NAME + 6;
}

void ChartRows::begin_row(const std::string& name, const std::string& value) {
  ++row_;
  assert(row_ < static_cast<int>(layout_.rows));
  svg_.text(0, ROW * row_ + NAME, short_label(name), "name halo");
  svg_.text(layout_.width, ROW * row_ + NAME, value, "value halo", SvgPicture::Anchor::end);
}

void ChartRows::bar(double from, double to, std::string_view classes, const std::string& tooltip) {
  const double left = axis_.at(std::min(from, to));
  svg_.rect(left, top(), axis_.at(std::max(from, to)) - left, BAR, classes, tooltip);
}

void ChartRows::interval(double low, double high) {
  svg_.horizontal_interval(axis_.at(low), axis_.at(high), top() + BAR / 2, "interval");
}

void ChartRows::mark(double value) {
  svg_.line(axis_.at(value), top() - 3, axis_.at(value), top() + BAR + 3, "net");
}

void ChartRows::reference(double value) {
  svg_.line(axis_.at(value), 0, axis_.at(value), height_of(layout_) - BOTTOM, "reference");
}

}  // namespace litestage
